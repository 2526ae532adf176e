// An epoll descriptor inside another, in poll and in select, is ready when something in it becomes so.
#include "os/channel.h"
#include <sys/epoll.h>
#include <sys/select.h>

int main(void) {
    int end[2], inner = epoll_create1(0), outer = epoll_create1(0);
    open_pipe(end);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = end[0]}, got[2];
    CHECK_OK(epoll_ctl(inner, EPOLL_CTL_ADD, end[0], &e));
    e.data.fd = inner;
    CHECK_OK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &e));
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    char c;
    for (int form = 0; form < 3; form++) {
        struct pollfd p = {.fd = inner, .events = POLLIN};
        fd_set in;
        FD_ZERO(&in);
        FD_SET(inner, &in);
        CHECK_EQ(poll(&p, 1, 0), 0);
        pthread_t t = spawn(do_later, &later);
        if (form == 0) {
            CHECK_EQ(epoll_wait(outer, got, 2, -1), 1);
            CHECK_EQ(got[0].data.fd, inner);
        } else if (form == 1) {
            CHECK_EQ(poll(&p, 1, -1), 1);
            CHECK_EQ(p.revents, POLLIN);
        } else {
            CHECK_EQ(select(inner + 1, &in, NULL, NULL, NULL), 1);
        }
        join_thread(t);
        CHECK_EQ(epoll_wait(inner, got, 2, -1), 1);
        CHECK_EQ(got[0].data.fd, end[0]);
        CHECK_EQ(read(end[0], &c, 1), 1);
        CHECK_EQ(epoll_wait(outer, got, 2, 0), 0);
    }
    e.data.fd = outer;
    CHECK_ERR(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &e), ELOOP);
    return 0;
}
