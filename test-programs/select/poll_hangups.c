// POLLHUP, POLLERR and POLLRDHUP come unasked or asked, as the kernel tells them, when another thread closes its end.
#include "os/channel.h"

static void close_fd(int fd) { CHECK_OK(close(fd)); }
static void shut_write(int fd) { CHECK_OK(shutdown(fd, SHUT_WR)); }

static short wait_for(int fd, short events) {
    struct pollfd p = {.fd = fd, .events = events};
    CHECK_EQ(poll(&p, 1, -1), 1);
    return p.revents;
}

int main(void) {
    int end[2];
    open_pipe(end);
    struct later later = {.fd = end[1], .act = close_fd};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(wait_for(end[0], POLLIN), POLLHUP);
    join_thread(t);
    CHECK_EQ(wait_for(end[0], 0), POLLHUP);

    open_pipe(end);
    later.fd = end[1];
    CHECK_EQ(write(end[1], "x", 1), 1);
    t = spawn(do_later, &later);
    CHECK_EQ(wait_for(end[0], 0), POLLHUP); // asked for nothing
    CHECK_EQ(wait_for(end[0], POLLIN), POLLIN | POLLHUP);
    join_thread(t);

    open_pipe(end);
    later.fd = end[0];
    t = spawn(do_later, &later);
    CHECK_EQ(wait_for(end[1], 0), POLLERR);
    CHECK_EQ(wait_for(end[1], POLLOUT), POLLOUT | POLLERR);
    join_thread(t);

    void (*const opens[])(int *) = {open_stream, open_tcp};
    for (int i = 0; i < 2; i++) {
        opens[i](end);
        later = (struct later){.fd = end[1], .act = shut_write};
        t = spawn(do_later, &later);
        CHECK_EQ(wait_for(end[0], POLLRDHUP), POLLRDHUP);
        CHECK_EQ(wait_for(end[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
        CHECK_EQ(wait_for(end[0], POLLIN), POLLIN);
        join_thread(t);
        CHECK_OK(shutdown(end[0], SHUT_WR));
        EVENTUALLY(wait_for(end[0], POLLIN | POLLRDHUP) == (POLLIN | POLLRDHUP | POLLHUP));
        close_both(end);
    }

    open_raw_pty(end);
    later = (struct later){.fd = end[0], .act = close_fd};
    t = spawn(do_later, &later);
    CHECK_EQ(wait_for(end[1], POLLIN), POLLHUP);
    join_thread(t);
    return 0;
}
