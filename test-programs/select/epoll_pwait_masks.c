// epoll_pwait and epoll_pwait2: masks let a blocked signal in while they wait; times in milli- and nanoseconds.
#include "os/channel.h"
#include <sys/epoll.h>

static void signal_main(int unused) {
    (void)unused;
    CHECK_OK(kill(getpid(), SIGUSR2));
}

int main(void) {
    int end[2], ep = epoll_create1(0);
    open_pipe(end);
    struct epoll_event e = {.events = EPOLLIN}, got;
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, end[0], &e));
    sigset_t block, open_mask;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &block, &open_mask), 0);
    on_signal(SIGUSR2, count_signal, 0);
    struct timespec minute = {.tv_sec = 60}, little = {.tv_nsec = 2500000};
    int has_pwait2 = epoll_pwait2(ep, &got, 1, &(struct timespec){0}, NULL) == 0;

    for (int form = 0; form <= has_pwait2; form++) {
        signals_seen = 0;
        struct later later = {.act = signal_main};
        pthread_t t = spawn(do_later, &later);
        if (form == 0)
            CHECK_ERR(epoll_pwait(ep, &got, 1, -1, &open_mask), EINTR);
        else
            CHECK_ERR(epoll_pwait2(ep, &got, 1, &minute, &open_mask), EINTR);
        CHECK_EQ(signals_seen, 1);
        join_thread(t);

        later = (struct later){.fd = end[1], .data = "x", .len = 1};
        t = spawn(do_later, &later);
        CHECK_EQ(form == 0 ? epoll_pwait(ep, &got, 1, 60000, &open_mask) : epoll_pwait2(ep, &got, 1, NULL, &open_mask), 1);
        join_thread(t);
        char c;
        CHECK_EQ(read(end[0], &c, 1), 1);

        int64_t begin = now_ns(CLOCK_MONOTONIC);
        CHECK_EQ(form == 0 ? epoll_pwait(ep, &got, 1, 3, NULL) : epoll_pwait2(ep, &got, 1, &little, NULL), 0);
        CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 2500000);
    }
    sigset_t now;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGUSR2));
    if (has_pwait2)
        CHECK_ERR(epoll_pwait2(ep, &got, 1, &(struct timespec){.tv_nsec = -1}, NULL), EINVAL);
    return 0;
}
