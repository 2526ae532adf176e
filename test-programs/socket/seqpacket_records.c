// Sequenced packets keep their boundaries through write, writev and send; readers wait for each; MSG_EOR is seen.
#include "os/channel.h"

static void *send_records(void *arg) {
    int fd = *(int *)arg;
    char data[5000];
    for (int i = 1; i <= 300; i++) {
        size_t len = i * 16;
        fill(data, len, i);
        struct iovec parts[2] = {{data, 10}, {data + 10, len - 10}};
        ssize_t n = i % 3 == 0 ? write(fd, data, len) : i % 3 == 1 ? writev(fd, parts, 2) : send(fd, data, len, MSG_EOR);
        CHECK_EQ(n, len);
    }
    CHECK_OK(close(fd));
    return NULL;
}

int main(void) {
    int end[2];
    open_seqpacket(end);
    pthread_t t = spawn(send_records, &end[1]);
    char data[8000];
    for (int i = 1; i <= 300; i++) {
        struct iovec part = {data, sizeof data};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        CHECK_EQ(recvmsg(end[0], &message, 0), i * 16);
        CHECK_EQ(message.msg_flags & MSG_TRUNC, 0);
        check_filled(data, i * 16, i);
    }
    CHECK_EQ(read(end[0], data, sizeof data), 0);
    join_thread(t);
    return 0;
}
