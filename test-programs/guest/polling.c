// Tasks of another hub wait by poll, ppoll, select, pselect and epoll_wait, for one descriptor and for many, with and without timeouts.
#include "hub.h"
#include <sys/epoll.h>
#include <sys/select.h>

enum { PIPES = 5 };
static int pipes[PIPES][2], late;

static void poller(void *arg) {
    (void)arg;
    struct pollfd fds[PIPES + 1];
    for (int i = 0; i < PIPES; i++)
        fds[i] = (struct pollfd){pipes[i][0], POLLIN, -1};
    fds[PIPES] = (struct pollfd){-1, POLLIN, -1};
    CHECK_EQ(poll(fds, PIPES + 1, 20), 0);
    for (int i = 0; i <= PIPES; i++)
        CHECK_EQ(fds[i].revents, 0);
    struct timespec time = {30, 0};
    late = 1;
    CHECK_EQ(ppoll(fds, PIPES + 1, &time, NULL), 1);
    CHECK(time.tv_sec <= 30);
    for (int i = 0; i < PIPES; i++)
        CHECK_EQ(fds[i].revents, i == 3 ? POLLIN : 0);
    // One of them, named twice.
    struct pollfd twice[2] = {{pipes[0][0], POLLIN, 0}, {pipes[0][0], POLLPRI, 0}};
    late = 2;
    CHECK_EQ(poll(twice, 2, -1), 1);
    CHECK_EQ(twice[0].revents, POLLIN);
    char byte;
    CHECK_EQ(read(pipes[0][0], &byte, 1), 1);
    CHECK_EQ(read(pipes[3][0], &byte, 1), 1);
    // Nothing but a hang-up.
    struct pollfd end = {pipes[4][0], 0, 0};
    late = 3;
    CHECK_EQ(poll(&end, 1, -1), 1);
    CHECK_EQ(end.revents, POLLHUP);
    CHECK_EQ(poll(NULL, 0, 10), 0);
    struct pollfd *volatile nowhere = (struct pollfd *)8;
    CHECK_ERR(poll(nowhere, 1, 10), EFAULT);
    struct pollfd closed = {777, POLLIN, 0};
    CHECK_EQ(poll(&closed, 1, -1), 1);
    CHECK_EQ(closed.revents, POLLNVAL);
    late = 4;
}

static void selector(void *arg) {
    (void)arg;
    while (late != 4)
        hub_pause();
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipes[1][0], &set);
    FD_SET(pipes[2][0], &set);
    struct timeval time = {0, 20000};
    CHECK_EQ(select(pipes[4][1] + 1, &set, NULL, NULL, &time), 0);
    CHECK(!FD_ISSET(pipes[1][0], &set));
    FD_SET(pipes[1][0], &set);
    FD_SET(pipes[2][0], &set);
    late = 5;
    CHECK_EQ(pselect(pipes[4][1] + 1, &set, NULL, NULL, NULL, NULL), 1);
    CHECK(FD_ISSET(pipes[2][0], &set) && !FD_ISSET(pipes[1][0], &set));
    fd_set write_set;
    FD_ZERO(&write_set);
    FD_SET(pipes[1][1], &write_set);
    CHECK_EQ(select(pipes[4][1] + 1, NULL, &write_set, NULL, NULL), 1);
    CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
    time = (struct timeval){0, 10000};
    CHECK_EQ(select(0, NULL, NULL, NULL, &time), 0);
}

static void waiter(void *arg) {
    (void)arg;
    int fds[2], set = epoll_create1(EPOLL_CLOEXEC);
    CHECK_OK(pipe(fds));
    struct epoll_event event = {EPOLLIN, {.u64 = 42}}, found[4];
    CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, fds[0], &event));
    CHECK_EQ(epoll_wait(set, found, 4, 20), 0);
    CHECK_EQ(epoll_wait(set, found, 4, 0), 0);
    late++;
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(set, found, 4, -1), 1);
    CHECK_EQ(found[0].data.u64, 42);
    CHECK_ERR(epoll_wait(set, found, 0, -1), EINVAL);
    CHECK_ERR(epoll_wait(fds[0], found, 4, 10), EINVAL);
    sigset_t mask;
    CHECK_RC(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
    CHECK_EQ(epoll_pwait(set, found, 4, -1, &mask), 1);
    sigaddset(&mask, SIGUSR1);
    CHECK_EQ(epoll_pwait(set, found, 4, 10, &mask), 1);
    close(set);
    close(fds[0]);
    close(fds[1]);
}

static void writer(void *arg) {
    (void)arg;
    while (late != 1)
        hub_pause();
    CHECK_EQ(write(pipes[3][1], "x", 1), 1);
    while (late != 2)
        hub_pause();
    CHECK_EQ(write(pipes[0][1], "x", 1), 1);
    while (late != 3)
        hub_pause();
    hub_pause();
    close(pipes[4][1]);
    while (late != 5)
        hub_pause();
    CHECK_EQ(write(pipes[2][1], "x", 1), 1);
}

int main(void) {
    hub_init();
    for (int i = 0; i < PIPES; i++)
        CHECK_OK(pipe(pipes[i]));
    int before = open_fds();
    hub_spawn(poller, NULL);
    hub_spawn(selector, NULL);
    hub_spawn(writer, NULL);
    hub_run();
    late = 0;
    hub_spawn(waiter, NULL);
    hub_run();
    CHECK_EQ(late, 1);
    CHECK(open_fds() <= before + 1); // one was closed; the hub may have descriptors of its own
    printf("%d waits\n", hub_waits);
}
