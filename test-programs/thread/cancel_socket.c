// Cancellation in accept, accept4, connect, recv, recvfrom, recvmsg, recvmmsg, send, sendto, sendmsg runs cleanup handlers; the sockets work afterwards.
#include "cancel.h"
#include <sys/socket.h>
#include <sys/un.h>

static int listener, quiet[2], full[2];
static struct sockaddr_un crowded = {.sun_family = AF_UNIX};

static void in_accept(void) { (void)!accept(listener, NULL, NULL); }
static void in_accept4(void) { (void)!accept4(listener, NULL, NULL, SOCK_CLOEXEC); }
static void close_fd(void *fd) { close(*(int *)fd); }
static void in_connect(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    pthread_cleanup_push(close_fd, &fd);
    (void)!connect(fd, (struct sockaddr *)&crowded, sizeof crowded);
    pthread_cleanup_pop(1);
}
static char buf[16];
static void in_recv(void) { (void)!recv(quiet[0], buf, sizeof buf, 0); }
static void in_recv_waitall(void) { (void)!recv(quiet[0], buf, sizeof buf, MSG_WAITALL); }
static void in_recvfrom(void) { (void)!recvfrom(quiet[0], buf, sizeof buf, 0, NULL, NULL); }
static void in_recvmsg(void) {
    struct iovec iov = {buf, sizeof buf};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    (void)!recvmsg(quiet[0], &m, 0);
}
static void in_recvmmsg(void) {
    struct iovec iov = {buf, sizeof buf};
    struct mmsghdr m = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    (void)!recvmmsg(quiet[0], &m, 1, 0, NULL);
}
static void in_read(void) { (void)!read(quiet[0], buf, sizeof buf); }
static void in_send(void) { (void)!send(full[0], buf, 1, 0); }
static void in_sendto(void) { (void)!sendto(full[0], buf, 1, 0, NULL, 0); }
static void in_sendmsg(void) {
    struct iovec iov = {buf, 1};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    (void)!sendmsg(full[0], &m, 0);
}

static void works(void) {
    char c = 0;
    CHECK_EQ(send(quiet[1], "q", 1, 0), 1);
    CHECK_EQ(recv(quiet[0], &c, 1, 0), 1);
    CHECK_EQ(c, 'q');
}

static const struct cancel_point points[] = {
    {"accept", in_accept, NULL},       {"accept4", in_accept4, NULL},   {"connect", in_connect, NULL},
    {"recv", in_recv, works},          {"recv_waitall", in_recv_waitall, works}, {"recvfrom", in_recvfrom, works},
    {"recvmsg", in_recvmsg, works},    {"recvmmsg", in_recvmmsg, works}, {"read", in_read, works},
    {"send", in_send, NULL},           {"sendto", in_sendto, NULL},     {"sendmsg", in_sendmsg, NULL},
};

static int bound(struct sockaddr_un *name, int backlog) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_OK(fd);
    CHECK_OK(bind(fd, (struct sockaddr *)name, sizeof *name));
    CHECK_OK(listen(fd, backlog));
    return fd;
}

int main(int argc, char **argv) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "greenpatch-cancel-a-%d", getpid());
    snprintf(crowded.sun_path + 1, sizeof crowded.sun_path - 1, "greenpatch-cancel-b-%d", getpid());
    listener = bound(&name, 5);
    bound(&crowded, 0);
    // Nobody accepts: the queue fills, and the next blocking connect waits.
    for (;;) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (connect(fd, (struct sockaddr *)&crowded, sizeof crowded) == -1) {
            CHECK_EQ(errno, EAGAIN);
            close(fd);
            break;
        }
    }
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, quiet));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, full));
    static char block[4096];
    while (send(full[0], block, sizeof block, MSG_DONTWAIT) > 0) {
    }
    while (send(full[0], block, 1, MSG_DONTWAIT) > 0) {
    }
    CANCEL_EACH(points);
    // The first time may have opened what stays.
    int fds = open_fds();
    CANCEL_EACH(points);
    CHECK_EQ(open_fds(), fds);
    return 0;
}
