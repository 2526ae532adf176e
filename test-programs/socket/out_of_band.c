// Urgent data: MSG_OOB, SIOCATMARK, SO_OOBINLINE, and POLLPRI as another thread sends it.
#include "os/channel.h"

static void send_urgent(int fd) {
    CHECK_EQ(send(fd, "ab", 2, 0), 2);
    CHECK_EQ(send(fd, "!", 1, MSG_OOB), 1);
    CHECK_EQ(send(fd, "cd", 2, 0), 2);
}

int main(void) {
    int end[2], at_mark;
    char data[10];
    open_tcp(end);
    CHECK_ERR(recv(end[0], data, 1, MSG_OOB), EINVAL); // never waits
    struct later later = {.fd = end[1], .act = send_urgent};
    pthread_t t = spawn(do_later, &later);
    struct pollfd p = {.fd = end[0], .events = POLLPRI};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK(p.revents & POLLPRI);
    join_thread(t);
    CHECK_EQ(recv(end[0], data, 10, 0), 2); // up to the mark
    CHECK_OK(ioctl(end[0], SIOCATMARK, &at_mark));
    CHECK_EQ(at_mark, 1);
    CHECK_EQ(recv(end[0], data, 10, MSG_OOB), 1);
    CHECK_EQ(data[0], '!');
    CHECK_EQ(recv(end[0], data, 10, 0), 2);

    CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_OOBINLINE, &(int){1}, sizeof(int)));
    t = spawn(do_later, &later);
    CHECK_EQ(recv(end[0], data, 5, MSG_WAITALL), 2);
    CHECK_EQ(recv(end[0], data, 3, MSG_WAITALL), 3);
    CHECK(memcmp(data, "!cd", 3) == 0);
    join_thread(t);
    return 0;
}
