// poll and select with no time to wait are never interrupted where no handler runs, whoever else computes meanwhile.
#include "check.h"
#include <poll.h>
#include <sys/select.h>

static int stop, ends[2];

static void *computes(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
    }
    return arg;
}

static long long cpu_ms(void) {
    struct timespec now;
    CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int by_poll(void) {
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    return poll(&fd, 1, 0);
}

static int by_ppoll(void) {
    struct pollfd fds[] = {{.fd = ends[0], .events = POLLIN}, {.fd = -1}};
    struct timespec none = {0};
    return ppoll(fds, 2, &none, NULL);
}

static int by_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval none = {0};
    return select(ends[0] + 1, &set, NULL, NULL, &none);
}

static int by_select_of_none(void) {
    struct timeval none = {0};
    return select(0, NULL, NULL, NULL, &none);
}

static int by_pselect(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timespec none = {0};
    sigset_t mask;
    sigemptyset(&mask);
    return pselect(ends[0] + 1, &set, NULL, NULL, &none, &mask);
}

int main(void) {
    int (*const looks[])(void) = {by_poll, by_ppoll, by_select, by_select_of_none, by_pselect};
    CHECK_OK(pipe(ends));
    pthread_t t = spawn(computes, NULL);
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        for (long long end = cpu_ms() + 300; cpu_ms() < end;)
            CHECK_EQ(looks[i](), 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join_thread(t);
    return 0;
}
