// A program's epoll descriptor works in a forked child too, next to that of the parent.
#include "os/channel.h"
#include <sys/epoll.h>

static void wait_and_read(int ep, int *end) {
    struct epoll_event got;
    char c;
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    for (int i = 0; i < 5; i++) {
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
        CHECK_EQ(read(end[0], &c, 1), 1);
        join_thread(t);
    }
}

int main(void) {
    int end[2], ep = epoll_create1(0);
    open_pipe(end);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, end[0], &e));
    wait_and_read(ep, end);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        int own[2], own_ep = epoll_create1(0);
        open_pipe(own);
        CHECK_OK(epoll_ctl(own_ep, EPOLL_CTL_ADD, own[0], &e));
        wait_and_read(own_ep, own);
        wait_and_read(ep, end); // shared with the parent, which only waits for the child meanwhile
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    wait_and_read(ep, end);
    return 0;
}
