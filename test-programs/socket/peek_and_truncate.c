// MSG_PEEK waits for data and leaves it; MSG_TRUNC tells a message's length; MSG_DONTWAIT never waits.
#include "os/channel.h"

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        if (!(kinds[k].traits & IS_SOCKET))
            continue;
        int end[2];
        char data[100];
        kinds[k].open(end);
        struct later later = {.fd = end[1], .data = "0123456789", .len = 10};
        CHECK_ERR(recv(end[0], data, 10, MSG_DONTWAIT), EAGAIN);
        CHECK_ERR(recv(end[0], data, 10, MSG_DONTWAIT | MSG_PEEK), EAGAIN);
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(recv(end[0], data, 4, MSG_PEEK), 4);
        CHECK_EQ(recv(end[0], data, 100, MSG_PEEK), 10);
        CHECK(memcmp(data, "0123456789", 10) == 0);
        join_thread(t);
        if (kinds[k].traits & IS_STREAM) {
            CHECK_EQ(recv(end[0], data, 4, 0), 4);
            CHECK_EQ(recv(end[0], data, 4, MSG_DONTWAIT), 4);
            CHECK_EQ(recv(end[0], data, 4, 0), 2);
        } else {
            CHECK_EQ(recv(end[0], data, 4, MSG_PEEK | MSG_TRUNC), 10);
            struct iovec part = {data, 4};
            struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
            CHECK_EQ(recvmsg(end[0], &message, 0), 4);
            CHECK(message.msg_flags & MSG_TRUNC);
            CHECK_ERR(recv(end[0], data, 10, MSG_DONTWAIT), EAGAIN); // its rest is gone
            t = spawn(do_later, &later);
            CHECK_EQ(recv(end[0], data, 4, MSG_TRUNC), 10);
            join_thread(t);
        }
        CHECK_EQ(fcntl(end[0], F_GETFL) & O_NONBLOCK, 0);
        close_both(end);
    }
    return 0;
}
