// ppoll, pselect and epoll_pwait open their mask only while they wait: a blocked pending signal interrupts them at once, the old mask is back afterwards, ready descriptors win.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static __thread volatile int handled;

static void on_signal(int sig) {
    (void)sig;
    handled++;
}

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static int wait_with(int how, int fd, int ep, const sigset_t *mask, const struct timespec *ts) {
    struct pollfd p = {fd, POLLIN, 0};
    struct epoll_event e;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    switch (how) {
    case 0:
        return ppoll(&p, 1, ts, mask);
    case 1:
        return pselect(fd + 1, &set, NULL, NULL, ts, mask);
    default:
        return epoll_pwait(ep, &e, 1, ts == NULL ? -1 : (int)(ts->tv_sec * 1000 + ts->tv_nsec / 1000000), mask);
    }
}

static void *run(void *arg) {
    int ends[2], ep = epoll_create1(0);
    CHECK_OK(pipe(ends));
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e));
    sigset_t usr1, open_mask;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigemptyset(&open_mask);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    handled = 0;
    for (int how = 0; how < 3; how++) {
        struct timespec soon = {0, 5000000};
        int before = handled;
        CHECK_EQ(wait_with(how, ends[0], ep, &open_mask, &soon), 0);
        CHECK_OK(raise(SIGUSR1));
        CHECK_EQ(wait_with(how, ends[0], ep, &usr1, &soon), 0);
        CHECK_EQ(wait_with(how, ends[0], ep, NULL, &soon), 0);
        CHECK_EQ(handled, before);
        CHECK_ERR(wait_with(how, ends[0], ep, &open_mask, NULL), EINTR);
        CHECK_EQ(handled, before + 1);
        CHECK(blocked(SIGUSR1));
        CHECK_EQ(write(ends[1], "x", 1), 1);
        CHECK_EQ(wait_with(how, ends[0], ep, &open_mask, NULL), 1);
        char c;
        CHECK_EQ(read(ends[0], &c, 1), 1);
        CHECK(blocked(SIGUSR1));
    }
    CHECK_OK(close(ends[0]));
    CHECK_OK(close(ends[1]));
    CHECK_OK(close(ep));
    return arg;
}

int main(void) {
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    run(NULL);
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        t[i] = spawn(run, NULL);
    for (int i = 0; i < 5; i++)
        join_thread(t[i]);
    return 0;
}
