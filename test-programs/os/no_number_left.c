// Every descriptor number that the process may ever use is taken before anything has waited: threads wait all the same,
// in a forked child too.
#include "check.h"
#include <poll.h>
#include <sys/resource.h>

enum { LIMIT = 2000 };
static int ends[2];

static void *reader(void *arg) {
    (void)arg;
    char byte;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    return NULL;
}

static void wait_for_a_byte(void) {
    pthread_t takes = spawn(reader, NULL);
    sleep_ms(1);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    join_thread(takes);
    struct pollfd none = {.fd = ends[0], .events = POLLIN};
    CHECK_EQ(poll(&none, 1, 1), 0);
}

static void *nothing(void *arg) { return arg; }

int main(void) {
    struct rlimit limit = {LIMIT, LIMIT};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_OK(pipe(ends));
    // A thread that ends without having waited.
    join_thread(spawn(nothing, NULL));
    while (dup(0) >= 0) {
    }
    CHECK_EQ(errno, EMFILE);
    for (int round = 0; round < 2; round++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            wait_for_a_byte();
            _exit(0);
        }
        CHECK_EQ(wait_child(pid), 0);
        wait_for_a_byte();
    }
    return 0;
}
