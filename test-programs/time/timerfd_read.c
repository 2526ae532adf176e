// timerfd: parked reads, poll and epoll in threads wake at the expirations and count them; EAGAIN when non-blocking.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

static int make(long ms, long interval_ms, int flags) {
    int fd = timerfd_create(CLOCK_MONOTONIC, flags);
    CHECK_OK(fd);
    struct itimerspec its = {.it_value = ns_to_timespec(ms * 1000000), .it_interval = ns_to_timespec(interval_ms * 1000000)};
    CHECK_OK(timerfd_settime(fd, 0, &its, NULL));
    return fd;
}

static void *reads(void *arg) {
    uint64_t n = 0, sum = 0;
    int64_t start = now_ns(CLOCK_MONOTONIC);
    int fd = make(2, 2, 0);
    while (sum < 10) {
        CHECK_EQ(read(fd, &n, sizeof n), sizeof n);
        CHECK(n > 0);
        sum += n;
    }
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20000000);
    CHECK_OK(close(fd));
    return arg;
}

static void *polls(void *arg) {
    uint64_t n = 0;
    int fd = make(5, 0, TFD_NONBLOCK);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK_EQ(read(fd, &n, sizeof n), sizeof n);
    CHECK_EQ(n, 1);
    CHECK_ERR(read(fd, &n, sizeof n), EAGAIN);
    CHECK_OK(close(fd));
    fd = make(5, 0, TFD_NONBLOCK);
    int ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
    CHECK_OK(close(ep));
    CHECK_OK(close(fd));
    return arg;
}

int main(void) {
    pthread_t t[20];
    for (int i = 0; i < 20; i++)
        t[i] = spawn(i % 2 ? reads : polls, NULL);
    for (int i = 0; i < 20; i++)
        join_thread(t[i]);
    return 0;
}
