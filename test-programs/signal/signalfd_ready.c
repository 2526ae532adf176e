// A blocked signal for one thread makes a signalfd readable to that thread's poll, ppoll, select and epoll_wait, before and while they wait, and to no other thread's.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/uio.h>

static int fd, other, ep, spare[2], stage;

static void drain(int signo, int value) {
    struct signalfd_siginfo info;
    memset(&info, 0x55, sizeof info);
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    CHECK_EQ(info.ssi_signo, signo);
    CHECK_EQ(info.ssi_pid, getpid());
    CHECK_EQ(info.ssi_uid, getuid());
    CHECK_EQ(info.ssi_code, value < 0 ? SI_TKILL : SI_QUEUE);
    if (value >= 0)
        CHECK_EQ(info.ssi_int, value);
    CHECK_ERR(read(fd, &info, sizeof info), EAGAIN);
}

static void next_stage(void) { __atomic_fetch_add(&stage, 1, __ATOMIC_SEQ_CST); }

// Each wait is done with the signal there already, then with one that comes meanwhile.
static void *wait_in_all_ways(void *arg) {
    (void)arg;
    for (int early = 1; early >= 0; early--) {
        struct pollfd p[3] = {{spare[0], POLLIN, 0}, {fd, POLLIN, 0}, {other, POLLIN, 0}};
        if (early)
            CHECK_OK(raise(SIGUSR1));
        next_stage();
        CHECK_EQ(poll(p, 3, early ? 0 : -1), 1);
        CHECK_EQ(p[0].revents, 0);
        CHECK_EQ(p[1].revents, POLLIN);
        CHECK_EQ(p[2].revents, 0);
        drain(SIGUSR1, -1);
        CHECK_EQ(poll(p, 3, 0), 0);
        CHECK_EQ(p[1].revents, 0);

        struct timespec zero = {0, 0};
        if (early)
            CHECK_OK(raise(SIGUSR1));
        next_stage();
        CHECK_EQ(ppoll(&p[1], 1, early ? &zero : NULL, NULL), 1);
        CHECK_EQ(p[1].revents, POLLIN);
        drain(SIGUSR1, -1);

        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        FD_SET(other, &set);
        struct timeval now = {0, 0};
        if (early)
            CHECK_OK(raise(SIGUSR1));
        next_stage();
        CHECK_EQ(select(FD_SETSIZE, &set, NULL, NULL, early ? &now : NULL), 1);
        CHECK(FD_ISSET(fd, &set) && !FD_ISSET(other, &set));
        drain(SIGUSR1, -1);

        struct epoll_event e[4];
        if (early)
            CHECK_OK(raise(SIGUSR1));
        next_stage();
        CHECK_EQ(epoll_wait(ep, e, 4, early ? 0 : -1), 1);
        CHECK_EQ(e[0].events, EPOLLIN);
        CHECK_EQ(e[0].data.u64, 0x123456789abcdef0);
        CHECK_EQ(epoll_wait(ep, e, 4, 0), 1);
        drain(SIGUSR1, -1);
        CHECK_EQ(epoll_wait(ep, e, 4, 0), 0);
    }
    // A one-shot entry is told once.
    struct epoll_event once = {.events = EPOLLIN | EPOLLONESHOT, .data.fd = fd};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &once));
    CHECK_RC(pthread_sigqueue(pthread_self(), SIGRTMIN, (union sigval){.sival_int = 5}), 0);
    CHECK_RC(pthread_sigqueue(pthread_self(), SIGRTMIN, (union sigval){.sival_int = 6}), 0);
    struct epoll_event e;
    CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
    CHECK_EQ(e.data.fd, fd);
    CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
    struct signalfd_siginfo info[4];
    // Several at once, into pieces of memory too.
    struct iovec parts[2] = {{info, sizeof info[0]}, {info + 2, 2 * sizeof info[0]}};
    ssize_t got = readv(fd, parts, 2);
    CHECK(got == sizeof info[0] || got == 2 * sizeof info[0]);
    CHECK_EQ(info[0].ssi_int, 5);
    if (got == sizeof info[0])
        CHECK_EQ(read(fd, info + 2, sizeof info[0]), sizeof info[0]);
    CHECK_EQ(info[2].ssi_int, 6);
    return NULL;
}

// What another thread was sent is none of this one's business.
static void *see_nothing(void *arg) {
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, 0), 0);
    char buffer[sizeof(struct signalfd_siginfo)];
    CHECK_ERR(read(fd, buffer, sizeof buffer), EAGAIN);
    return arg;
}

int main(void) {
    sigset_t set, others;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    sigemptyset(&others);
    sigaddset(&others, SIGUSR2);
    CHECK_OK(fd = signalfd(-1, &others, SFD_NONBLOCK));
    CHECK_OK(other = signalfd(-1, &others, SFD_NONBLOCK));
    CHECK_EQ(signalfd(fd, &set, 0), fd);
    CHECK_OK(pipe(spare));
    CHECK_OK(ep = epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    e.data.u64 = 1;
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, spare[0], &e));

    pthread_t t = spawn(wait_in_all_ways, NULL);
    for (int i = 5; i <= 8; i++) {
        EVENTUALLY(__atomic_load_n(&stage, __ATOMIC_SEQ_CST) == i);
        sleep_ms(3);
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
    }
    join_thread(t);

    CHECK_OK(raise(SIGUSR1));
    join_thread(spawn(see_nothing, NULL));
    drain(SIGUSR1, -1);

    // The last thread keeps what it was sent while there were others.
    t = spawn(see_nothing, NULL);
    CHECK_OK(raise(SIGUSR1));
    join_thread(t);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK_EQ(poll(&p, 1, -1), 1);
    drain(SIGUSR1, -1);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(poll(&p, 1, -1), 1);
    drain(SIGUSR1, -1);
    return 0;
}
