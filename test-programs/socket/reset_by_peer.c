// A reset in the middle of a wait: ECONNRESET for the reader, then the end; a writer gets ECONNRESET or EPIPE.
#include "os/channel.h"

static void reset(int fd) {
    struct linger hard = {.l_onoff = 1};
    CHECK_OK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
    CHECK_OK(close(fd));
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    static char big[1 << 20];
    int end[2];
    char data[8];
    open_tcp(end);
    struct later later = {.fd = end[1], .act = reset};
    pthread_t t = spawn(do_later, &later);
    CHECK_ERR(recv(end[0], data, 8, 0), ECONNRESET);
    CHECK_EQ(recv(end[0], data, 8, 0), 0);
    CHECK_ERR(send(end[0], data, 8, 0), EPIPE);
    join_thread(t);
    CHECK_OK(close(end[0]));

    open_tcp(end);
    later.fd = end[1];
    t = spawn(do_later, &later);
    ssize_t n = send(end[0], big, sizeof big, 0);
    CHECK(n < (ssize_t)sizeof big);
    if (n == -1)
        CHECK(errno == ECONNRESET || errno == EPIPE);
    join_thread(t);
    return 0;
}
