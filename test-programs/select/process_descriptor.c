// A pidfd becomes readable when the child ends, in poll and epoll, while another thread makes it end.
#include "os/channel.h"
#include <sys/epoll.h>

int main(void) {
    for (int form = 0; form < 2; form++) {
        int gate[2];
        open_pipe(gate);
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            char c;
            CHECK_EQ(read(gate[0], &c, 1), 1);
            _exit(7);
        }
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (fd == -1 && errno == ENOSYS)
            SKIP("no pidfd here");
        CHECK_OK(fd);
        struct pollfd p = {.fd = fd, .events = POLLIN};
        CHECK_EQ(poll(&p, 1, 0), 0);
        struct later later = {.fd = gate[1], .data = "x", .len = 1};
        pthread_t t = spawn(do_later, &later);
        if (form == 0) {
            CHECK_EQ(poll(&p, 1, -1), 1);
            CHECK(p.revents & POLLIN);
        } else {
            int ep = epoll_create1(0);
            struct epoll_event e = {.events = EPOLLIN};
            CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
            CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
            CHECK_OK(close(ep));
        }
        join_thread(t);
        CHECK_EQ(wait_child(pid), 7 << 8);
        CHECK_OK(close(fd));
    }
    return 0;
}
