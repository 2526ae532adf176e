// Every function that receives waits until another thread sends, through every function that sends, on every socket.
#include "os/channel.h"

enum { FUNCTIONS = 5 };

static ssize_t send_by(int function, int fd, const char *data, size_t len) {
    struct iovec parts[2] = {{(char *)data, 1}, {(char *)data + 1, len - 1}};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}};
    switch (function) {
    case 0:
        return send(fd, data, len, 0);
    case 1:
        return sendto(fd, data, len, MSG_NOSIGNAL, NULL, 0);
    case 2:
        return sendmsg(fd, &message.msg_hdr, 0);
    case 3:
        CHECK_EQ(sendmmsg(fd, &message, 1, 0), 1);
        return message.msg_len;
    default:
        return write(fd, data, len);
    }
}

static ssize_t receive_by(int function, int fd, char *data, size_t len) {
    struct iovec parts[2] = {{data, 2}, {data + 2, len - 2}};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 2}};
    switch (function) {
    case 0:
        return recv(fd, data, len, 0);
    case 1:
        return recvfrom(fd, data, len, 0, NULL, NULL);
    case 2:
        return recvmsg(fd, &message.msg_hdr, 0);
    case 3:
        CHECK_EQ(recvmmsg(fd, &message, 1, 0, NULL), 1);
        return message.msg_len;
    default:
        return read(fd, data, len);
    }
}

struct job {
    int fd, function;
};

static void *send_later(void *arg) {
    struct job *job = arg;
    nap();
    CHECK_EQ(send_by(job->function, job->fd, "message", 7), 7);
    return NULL;
}

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        if (!(kinds[k].traits & IS_SOCKET))
            continue;
        for (int how = 0; how < FUNCTIONS; how++)
            for (int direction = 0; direction < 2; direction++) {
                int end[2];
                kinds[k].open(end);
                struct job job = {end[direction], (how + direction) % FUNCTIONS};
                pthread_t t = spawn(send_later, &job);
                char data[64] = "";
                ssize_t n = receive_by(how, end[!direction], data, sizeof data);
                if (n != 7 || memcmp(data, "message", 7) != 0)
                    CHECK_FAIL("%s, function %d: %zd, errno %d", kinds[k].name, how, n, errno);
                join_thread(t);
                close_both(end);
            }
    }
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
