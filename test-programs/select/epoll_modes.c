// epoll: level, edge and one-shot as another thread makes things ready; modify, delete; errors of epoll_ctl.
#include "os/channel.h"
#include <sys/epoll.h>

static int ep;

static void add(int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        char c;
        struct epoll_event e[4];
        kinds[k].open(end);
        CHECK_OK(ep = epoll_create1(EPOLL_CLOEXEC));
        struct later later = {.fd = end[1], .data = "ab", .len = 2};

        add(end[0], EPOLLIN);
        CHECK_EQ(epoll_wait(ep, e, 4, 0), 0);
        CHECK_EQ(epoll_wait(ep, e, 4, 2), 0);
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(epoll_wait(ep, e, 4, -1), 1);
        CHECK_EQ(e[0].events, EPOLLIN);
        CHECK_EQ(e[0].data.fd, end[0]);
        join_thread(t);
        CHECK_EQ(epoll_wait(ep, e, 4, -1), 1); // level: until it is read
        char data[2];
        CHECK_EQ(read(end[0], data, 2), 2);
        CHECK_EQ(epoll_wait(ep, e, 4, 0), 0);

        e[0] = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u64 = 77};
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, end[0], e));
        for (int i = 0; i < 2; i++) { // edge: once for each arrival
            t = spawn(do_later, &later);
            CHECK_EQ(epoll_wait(ep, e, 4, -1), 1);
            CHECK_EQ(e[0].data.u64, 77);
            CHECK_EQ(epoll_wait(ep, e, 4, 0), 0);
            join_thread(t);
        }
        while (poll(&(struct pollfd){.fd = end[0], .events = POLLIN}, 1, 0) == 1)
            CHECK(read(end[0], &c, 1) == 1);

        e[0] = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 78};
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, end[0], e));
        t = spawn(do_later, &later);
        CHECK_EQ(epoll_wait(ep, e, 4, -1), 1);
        join_thread(t);
        CHECK_EQ(epoll_wait(ep, e, 4, 1), 0);
        e[0] = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 79};
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, end[0], e)); // armed again, and still ready
        CHECK_EQ(epoll_wait(ep, e, 4, -1), 1);
        CHECK_EQ(e[0].data.u64, 79);

        CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, end[0], e), EEXIST);
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, end[0], NULL));
        CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, end[0], e), ENOENT);
        CHECK_EQ(epoll_wait(ep, e, 4, 0), 0);
        close_both(end);
        CHECK_OK(close(ep));
    }
    CHECK_OK(ep = epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, temp_file(), &e), EPERM);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 12345, &e), EBADF);
    CHECK_ERR(epoll_wait(gate[0], &e, 1, 0), EINVAL);
    CHECK_ERR(epoll_wait(12345, &e, 1, 0), EBADF);
    volatile int none = 0;
    CHECK_ERR(epoll_wait(ep, &e, none, 0), EINVAL);
    CHECK_INTERRUPTED(epoll_wait(ep, &e, 1, -1));
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
