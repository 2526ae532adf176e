// With every descriptor number in use, or the soft limit lowered below the numbers in use, threads still wait for descriptors, for time and for each other.
#include "check.h"
#include <poll.h>
#include <sys/resource.h>

enum { LIMIT = 80, LOWER = 10 };
static int ends[2];

static void *reader(void *arg) {
    char byte = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(byte, *(char *)arg);
    return NULL;
}

static void *poller(void *arg) {
    (void)arg;
    struct pollfd poll_read = {.fd = ends[0], .events = POLLIN};
    CHECK_EQ(poll(&poll_read, 1, -1), 1);
    CHECK_EQ(poll_read.revents, POLLIN);
    return NULL;
}

static void wait_for_everything(rlim_t limit) {
    pthread_t looks = spawn(poller, NULL);
    sleep_ms(1);
    char byte = 'a';
    pthread_t takes = spawn(reader, &byte);
    sleep_ms(1);
    CHECK_EQ(write(ends[1], &byte, 1), 1);
    join_thread(takes);
    // The byte may have been taken before the other one looked.
    CHECK_EQ(write(ends[1], &byte, 1), 1);
    join_thread(looks);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    struct rlimit after;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &after));
    CHECK_EQ(after.rlim_cur, limit);
    CHECK_ERR(dup(0), EMFILE);
}

int main(void) {
    CHECK_OK(pipe(ends));
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = LIMIT;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    while (dup(0) >= 0) {
    }
    CHECK_EQ(errno, EMFILE);
    // In a child nothing has waited yet either.
    pid_t first = fork();
    CHECK_OK(first);
    if (first == 0) {
        wait_for_everything(LIMIT);
        _exit(0);
    }
    CHECK_EQ(wait_child(first), 0);
    limit.rlim_cur = LOWER;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    wait_for_everything(LOWER);
    pid_t second = fork();
    CHECK_OK(second);
    if (second == 0) {
        wait_for_everything(LOWER);
        _exit(0);
    }
    CHECK_EQ(wait_child(second), 0);
    limit.rlim_cur = LIMIT + 10;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
