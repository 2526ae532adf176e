// Many threads poll the same descriptor: one event is seen by all of them.
#include "os/channel.h"
#include <sys/epoll.h>
#include <sys/select.h>

enum { THREADS = 30 };

struct waiter {
    int fd, form;
};

static void *wait_readable(void *arg) {
    struct waiter *w = arg;
    int fd = w->fd, form = w->form;
    if (form == 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        CHECK_EQ(poll(&p, 1, -1), 1);
    } else if (form == 1) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(fd, &set);
        CHECK_EQ(select(fd + 1, &set, NULL, NULL, NULL), 1);
    } else {
        int ep = epoll_create1(0);
        struct epoll_event e = {.events = EPOLLIN}, got;
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
        CHECK_EQ(epoll_wait(ep, &got, 1, -1), 1);
        CHECK_OK(close(ep));
    }
    return NULL;
}

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        kinds[k].open(end);
        struct waiter waiters[THREADS];
        pthread_t t[THREADS];
        for (int i = 0; i < THREADS; i++)
            waiters[i] = (struct waiter){end[0], i % 3}, t[i] = spawn(wait_readable, &waiters[i]);
        nap();
        CHECK_EQ(write(end[1], "all", 3), 3);
        for (int i = 0; i < THREADS; i++)
            join_thread(t[i]);
        close_both(end);
    }
    return 0;
}
