// With the module off, waits in poll, select and epoll_wait last as long as asked, also beside a thread that computes.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int stop;

static void *computes(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        for (int64_t until = now_ns(CLOCK_MONOTONIC) + 30000000; now_ns(CLOCK_MONOTONIC) < until;) {
        }
        usleep(1);
    }
    return arg;
}

int main(int argc, char **argv) {
    if (argc == 1) {
        setenv("GREENPATCH_MODULES", "all,-select", 1);
        execl("/proc/self/exe", argv[0], "again", (char *)NULL);
        CHECK_OK(-1);
    }
    int events = epoll_create1(0);
    CHECK_OK(events);
    pthread_t t = spawn(computes, NULL);
    for (int i = 0; i < 30; i++) {
        CHECK_EQ(poll(NULL, 0, 7), 0);
        sched_yield();
        struct timeval time = {0, 5000};
        CHECK_EQ(select(0, NULL, NULL, NULL, &time), 0);
        sched_yield();
        struct epoll_event event;
        CHECK_EQ(epoll_wait(events, &event, 1, 5), 0);
        sched_yield();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    join_thread(t);
    return 0;
}
