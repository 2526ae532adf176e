// Sends and receives that cannot be: bad descriptor, not a socket, bad pointer, not connected, too long, bad flags.
#include "os/channel.h"

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    char data[16], *volatile bad = (char *)8;
    struct iovec part = {data, 16}, bad_part = {bad, 16};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1}, bad_message = {.msg_iov = &bad_part, .msg_iovlen = 1};

    CHECK_ERR(recv(12345, data, 1, 0), EBADF);
    CHECK_ERR(send(12345, data, 1, 0), EBADF);
    CHECK_ERR(recvmsg(12345, &message, 0), EBADF);
    CHECK_ERR(sendmsg(-1, &message, 0), EBADF);
    CHECK_ERR(recv(gate[1], data, 1, 0), ENOTSOCK);
    CHECK_ERR(send(gate[1], data, 1, 0), ENOTSOCK);
    CHECK_ERR(recvmsg(gate[1], &message, 0), ENOTSOCK);
    CHECK_ERR(sendmsg(gate[1], &message, 0), ENOTSOCK);

    int idle = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(recv(idle, data, 1, 0), ENOTCONN);
    CHECK_ERR(read(idle, data, 1), ENOTCONN);
    CHECK_ERR(send(idle, data, 1, MSG_NOSIGNAL), EPIPE);
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERR(send(udp, data, 1, 0), EDESTADDRREQ);
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(recv(local, data, 1, 0), EINVAL);
    CHECK_ERR(send(local, data, 1, 0), ENOTCONN);

    for (int k = 0; k < KINDS; k++) {
        int end[2];
        if (!(kinds[k].traits & IS_SOCKET))
            continue;
        kinds[k].open(end);
        CHECK_ERR(send(end[1], bad, 16, 0), EFAULT);
        CHECK_ERR(sendmsg(end[1], (struct msghdr *)bad, 0), EFAULT);
        CHECK_ERR(sendmsg(end[1], &bad_message, 0), EFAULT);
        CHECK_EQ(send(end[1], "abc", 3, 0), 3);
        CHECK_ERR(recvmsg(end[0], (struct msghdr *)bad, 0), EFAULT);
        CHECK_ERR(recv(end[0], bad, 16, 0), EFAULT);
        if (kinds[k].traits & IS_STREAM)
            CHECK_EQ(recv(end[0], data, 16, 0), 3);
        close_both(end);
    }
    int end[2];
    static char huge[100000];
    open_udp(end);
    CHECK_ERR(send(end[1], huge, sizeof huge, 0), EMSGSIZE);
    open_stream(end);
    struct msghdr too_many = {.msg_iov = &part, .msg_iovlen = 1025};
    CHECK_ERR(recvmsg(end[0], &too_many, 0), EMSGSIZE);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
