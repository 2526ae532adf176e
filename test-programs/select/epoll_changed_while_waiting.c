// While a thread waits on an epoll descriptor, another adds, modifies, removes and closes what is in it.
#include "os/channel.h"
#include <sys/epoll.h>

static int ep, end[2];

static void add_ready(int fd) {
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 1};
    CHECK_EQ(write(end[1], "x", 1), 1);
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}

static void add_then_write(int fd) {
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 2};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
    nap();
    CHECK_EQ(write(end[1], "x", 1), 1);
}

static void ask_for_more(int fd) {
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.u64 = 3};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e));
}

static void close_one(int fd) {
    CHECK_OK(close(fd)); // leaves the set by itself
    CHECK_EQ(write(end[1], "x", 1), 1);
}

int main(void) {
    struct epoll_event e, got[3];
    char c;
    CHECK_OK(ep = epoll_create1(0));
    void (*const adds[])(int) = {add_ready, add_then_write};
    for (int i = 0; i < 2; i++) {
        open_pipe(end);
        struct later later = {.fd = end[0], .act = adds[i]};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(epoll_wait(ep, got, 3, -1), 1);
        CHECK_EQ(got[0].data.u64, i + 1);
        join_thread(t);
        CHECK_EQ(read(end[0], &c, 1), 1);
        close_both(end);
        CHECK_EQ(epoll_wait(ep, got, 3, 0), 0);
    }

    int pair[2];
    open_stream(pair);
    e = (struct epoll_event){.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &e));
    struct later later = {.fd = pair[0], .act = ask_for_more};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(epoll_wait(ep, got, 3, -1), 1);
    CHECK_EQ(got[0].data.u64, 3);
    CHECK_EQ(got[0].events, EPOLLOUT);
    join_thread(t);
    e = (struct epoll_event){.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, pair[0], &e));

    open_pipe(end);
    e.data.u64 = 4;
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, end[0], &e));
    later = (struct later){.fd = pair[0], .act = close_one};
    t = spawn(do_later, &later);
    CHECK_EQ(epoll_wait(ep, got, 3, -1), 1);
    CHECK_EQ(got[0].data.u64, 4);
    join_thread(t);
    return 0;
}
