// Where the hard limit leaves no descriptor to anybody, threads still wait for descriptors, for time and for each other.
#include "check.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/select.h>

enum { LIMIT = 64 };
static int ends[2];
static sem_t told;

static void *reader(void *arg) {
    char byte = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(byte, *(char *)arg);
    CHECK_OK(sem_post(&told));
    return NULL;
}

static void *poller(void *arg) {
    (void)arg;
    struct pollfd fds[2] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1}};
    CHECK_EQ(poll(fds, 2, -1), 1);
    CHECK_EQ(fds[0].revents, POLLIN);
    CHECK_OK(sem_post(&told));
    return NULL;
}

static void *selector(void *arg) {
    (void)arg;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval long_time = {100, 0};
    CHECK_EQ(select(ends[0] + 1, &set, NULL, NULL, &long_time), 1);
    CHECK(FD_ISSET(ends[0], &set));
    CHECK_OK(sem_post(&told));
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&told, 0, 0));
    CHECK_OK(pipe(ends));
    struct rlimit limit = {LIMIT, LIMIT};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    while (dup(0) >= 0) {
    }
    CHECK_EQ(errno, EMFILE);
    void *(*const waits[])(void *) = {poller, selector, reader};
    for (int round = 0; round < 3; round++) {
        char byte = 'a';
        pthread_t threads[3];
        for (int i = 0; i < 3; i++)
            threads[i] = spawn(waits[i], &byte);
        sleep_ms(2);
        // The byte may be taken before the others look.
        CHECK_EQ(write(ends[1], "ab", 2), 2);
        for (int i = 0; i < 3; i++)
            CHECK_OK(sem_wait(&told));
        for (int i = 0; i < 3; i++)
            join_thread(threads[i]);
        CHECK_EQ(read(ends[0], &byte, 1), 1);
        CHECK_EQ(byte, 'b');
        struct pollfd nothing = {.fd = ends[0], .events = POLLIN};
        CHECK_EQ(poll(&nothing, 1, 2), 0);
    }
    CHECK_ERR(dup(0), EMFILE);
    return 0;
}
