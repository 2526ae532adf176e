// signalfd: a parked read, poll and epoll_wait get blocked signals with their values; EAGAIN when non-blocking; a thread's own signals only in that thread.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static int fd, nonblocking;

static void *read_values(void *arg) {
    for (int i = 0; i < 20; i++) {
        struct signalfd_siginfo info;
        CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
        CHECK_EQ(info.ssi_signo, SIGRTMIN + 2);
        CHECK_EQ(info.ssi_int, i);
        CHECK_EQ(info.ssi_pid, getpid());
        CHECK_EQ(info.ssi_code, SI_QUEUE);
    }
    return arg;
}

static void *poll_it(void *arg) {
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK_EQ(p.revents, POLLIN);
    struct signalfd_siginfo info;
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR1);
    return arg;
}

static void *epoll_it(void *arg) {
    int ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
    struct signalfd_siginfo info;
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR1);
    CHECK_OK(close(ep));
    return arg;
}

static void *own_signal(void *arg) {
    CHECK_OK(raise(SIGUSR1));
    struct signalfd_siginfo info;
    CHECK_EQ(read(nonblocking, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, SIGUSR1);
    CHECK_ERR(read(nonblocking, &info, sizeof info), EAGAIN);
    CHECK_OK(raise(SIGUSR1));
    return arg;
}

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    nonblocking = signalfd(-1, &set, SFD_NONBLOCK);
    CHECK_OK(fd);
    CHECK_OK(nonblocking);
    struct signalfd_siginfo info[3];
    CHECK_ERR(read(nonblocking, info, sizeof info), EAGAIN);
    CHECK_ERR(read(nonblocking, info, 3), EINVAL);

    pthread_t t = spawn(read_values, NULL);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i}));
        if (i % 5 == 0)
            sleep_ms(1);
    }
    join_thread(t);
    t = spawn(poll_it, NULL);
    sleep_ms(2);
    CHECK_OK(kill(getpid(), SIGUSR1));
    join_thread(t);
    t = spawn(epoll_it, NULL);
    sleep_ms(2);
    CHECK_OK(kill(getpid(), SIGUSR1));
    join_thread(t);
    join_thread(spawn(own_signal, NULL));
    CHECK_ERR(read(nonblocking, info, sizeof info), EAGAIN);
    for (int i = 0; i < 2; i++)
        CHECK_OK(sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i}));
    CHECK_EQ(read(nonblocking, info, sizeof info), 2 * sizeof info[0]);
    CHECK(info[0].ssi_int == 0 && info[1].ssi_int == 1);
    return 0;
}
