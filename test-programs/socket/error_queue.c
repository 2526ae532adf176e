// A socket's error queue: MSG_ERRQUEUE never waits, poll says POLLERR without being asked, and what a thread waits for goes on. Unreachable ports (IP_RECVERR) and finished MSG_ZEROCOPY sends are told there.
#include "os/channel.h"
#include <linux/errqueue.h>
#include <poll.h>

#ifndef SO_EE_ORIGIN_ZEROCOPY
#define SO_EE_ORIGIN_ZEROCOPY 5
#endif

// What lies first in the queue, or the error.
static int take_error(int fd, struct sock_extended_err *error, char *data) {
    char control[512];
    struct iovec part = {data, 16};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &message, MSG_ERRQUEUE);
    if (n == -1)
        return -1;
    CHECK(message.msg_flags & MSG_ERRQUEUE);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    CHECK(c != NULL && c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR);
    memcpy(error, CMSG_DATA(c), sizeof *error);
    return (int)n;
}

static int fd;

static void *poll_for_errors(void *arg) {
    struct pollfd p = {.fd = fd, .events = 0};
    about_to_block(arg);
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK_EQ(p.revents, POLLERR);
    return NULL;
}

static void *receive_and_fail(void *arg) {
    char byte;
    about_to_block(arg);
    CHECK_ERR(recv(fd, &byte, 1, 0), ECONNREFUSED);
    return NULL;
}

static void unreachable(int connected) {
    char data[16];
    struct sock_extended_err error;
    // A port that was somebody's until now.
    int end[2];
    struct sockaddr_in gone;
    socklen_t size = sizeof gone;
    open_udp(end);
    fd = end[0];
    CHECK_OK(getsockname(end[1], (struct sockaddr *)&gone, &size));
    CHECK_OK(close(end[1]));
    if (!connected)
        CHECK_OK(connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
    CHECK_OK(setsockopt(fd, SOL_IP, IP_RECVERR, &(int){1}, sizeof(int)));
    CHECK_ERR(take_error(fd, &error, data), EAGAIN);

    pid_t tid = 0;
    pthread_t waiter = spawn(poll_for_errors, &tid);
    await_blocked(&tid);
    CHECK_EQ(sendto(fd, "lost", 4, 0, (struct sockaddr *)&gone, size), 4);
    join_thread(waiter);
    CHECK_EQ(take_error(fd, &error, data), 4);
    CHECK(memcmp(data, "lost", 4) == 0);
    CHECK_EQ(error.ee_errno, ECONNREFUSED);
    CHECK_EQ(error.ee_origin, SO_EE_ORIGIN_ICMP);
    CHECK_ERR(take_error(fd, &error, data), EAGAIN);

    tid = 0;
    waiter = spawn(receive_and_fail, &tid);
    await_blocked(&tid);
    CHECK_EQ(sendto(fd, "lost", 4, 0, (struct sockaddr *)&gone, size), 4);
    join_thread(waiter);
    CHECK_EQ(take_error(fd, &error, data), 4);
    CHECK_OK(close(fd));
}

enum { SENDS = 20, SIZE = 40000 };
static char block[SIZE];

static void *receive_all(void *arg) {
    static char got[SIZE];
    for (int i = 0; i < SENDS; i++) {
        read_whole(*(int *)arg, got, SIZE);
        check_filled(got, SIZE, 7);
    }
    return NULL;
}

static void zero_copy(void) {
    char data[16];
    struct sock_extended_err error;
    int end[2];
    open_tcp(end);
    fd = end[1];
    fill(block, SIZE, 7);
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &(int){1}, sizeof(int)));
    CHECK_ERR(take_error(fd, &error, data), EAGAIN);
    pid_t tid = 0;
    pthread_t waiter = spawn(poll_for_errors, &tid);
    await_blocked(&tid);
    pthread_t receiver = spawn(receive_all, &end[0]);
    // Whole, although the buffers are too small.
    for (int i = 0; i < SENDS; i++)
        CHECK_EQ(send(fd, block, SIZE, MSG_ZEROCOPY), SIZE);
    join_thread(receiver);
    join_thread(waiter);
    // Each call is told of, several at once if they were finished together.
    for (uint32_t next = 0; next < SENDS;) {
        struct pollfd p = {.fd = fd, .events = 0};
        CHECK_EQ(poll(&p, 1, -1), 1);
        CHECK_EQ(p.revents, POLLERR);
        int n;
        while ((n = take_error(fd, &error, data)) == 0) {
            CHECK_EQ(error.ee_errno, 0);
            CHECK_EQ(error.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
            CHECK_EQ(error.ee_info, next);
            next = error.ee_data + 1;
        }
        CHECK(n == -1 && errno == EAGAIN);
    }
    close_both(end);
}

static void *wait_here(void *arg) {
    pause();
    return arg;
}

int main(void) {
    spawn(wait_here, NULL);
    unreachable(1);
    unreachable(0);
    zero_copy();
    return 0;
}
