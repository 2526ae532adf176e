// A handler interrupts accept, connect, recv and send families with EINTR; with SA_RESTART they go on, unless the socket has a timeout.
#include "eintr.h"
#include <sys/socket.h>
#include <sys/un.h>

static int listener, crowd_listener, quiet[2], timed[2], full[2];
static struct sockaddr_un name = {.sun_family = AF_UNIX}, crowded = {.sun_family = AF_UNIX};
static char buf[16];

static int in_accept(void) {
    int fd = accept(listener, NULL, NULL);
    int error = fd == -1 ? errno : 0;
    if (fd != -1)
        close(fd);
    return error;
}
static void connect_once(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(connect(fd, (struct sockaddr *)&name, sizeof name));
    CHECK_OK(close(fd));
}
static int in_connect(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int error = EINTR_RESULT(connect(fd, (struct sockaddr *)&crowded, sizeof crowded));
    close(fd);
    return error;
}
static void accept_one(void) {
    int fd = accept(crowd_listener, NULL, NULL);
    CHECK_OK(fd);
    CHECK_OK(close(fd));
}
static int in_recv(void) { return EINTR_RESULT(recv(quiet[0], buf, 1, 0)); }
static int in_recvfrom(void) { return EINTR_RESULT(recvfrom(quiet[0], buf, 1, MSG_WAITALL, NULL, NULL)); }
static int in_recvmsg(void) {
    struct iovec iov = {buf, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    return EINTR_RESULT(recvmsg(quiet[0], &m, 0));
}
static int in_read(void) { return EINTR_RESULT(read(quiet[0], buf, 1)); }
static void feed(void) { CHECK_EQ(send(quiet[1], "x", 1, 0), 1); }
static int in_timed_recv(void) { return EINTR_RESULT(recv(timed[0], buf, 1, 0)); }
static int in_timed_read(void) { return EINTR_RESULT(read(timed[0], buf, 1)); }
static void feed_timed(void) { CHECK_EQ(send(timed[1], "x", 1, 0), 1); }
static void fill(void) {
    static char block[4096];
    while (send(full[0], block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    while (send(full[0], block, 1, MSG_DONTWAIT) > 0) {
    }
}
static int in_send(void) { return EINTR_RESULT(send(full[0], buf, 1, 0)); }
static int in_sendmsg(void) {
    struct iovec iov = {buf, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    return EINTR_RESULT(sendmsg(full[0], &m, 0));
}
static void drain_and_fill(void) {
    static char block[65536];
    while (recv(full[1], block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    eintr_let_return();
    fill();
}

static const struct eintr_point points[] = {
    {"accept", in_accept, connect_once, RESTARTED}, {"connect", in_connect, accept_one, RESTARTED},
    {"recv", in_recv, feed, RESTARTED},             {"recvfrom", in_recvfrom, feed, RESTARTED},
    {"recvmsg", in_recvmsg, feed, RESTARTED},       {"read", in_read, feed, RESTARTED},
    {"timed_recv", in_timed_recv, feed_timed, NEVER_RESTARTED},
    {"timed_read", in_timed_read, feed_timed, NEVER_RESTARTED},
    {"send", in_send, drain_and_fill, RESTARTED},   {"sendmsg", in_sendmsg, drain_and_fill, RESTARTED},
};

static int bound(struct sockaddr_un *to, int backlog) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(fd);
    CHECK_OK(bind(fd, (struct sockaddr *)to, sizeof *to));
    CHECK_OK(listen(fd, backlog));
    return fd;
}

int main(int argc, char **argv) {
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "greenpatch-eintr-a-%d", getpid());
    snprintf(crowded.sun_path + 1, sizeof crowded.sun_path - 1, "greenpatch-eintr-b-%d", getpid());
    listener = bound(&name, 5);
    crowd_listener = bound(&crowded, 0);
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fd, (struct sockaddr *)&crowded, sizeof crowded) == -1) {
            CHECK_EQ(errno, EAGAIN);
            close(fd);
            break;
        }
    }
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, timed));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, full));
    struct timeval hour = {3600, 0};
    CHECK_OK(setsockopt(timed[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof hour));
    fill();
    EINTR_EACH(points);
    return 0;
}
