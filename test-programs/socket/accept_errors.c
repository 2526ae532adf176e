// accept: interrupted, on a socket that doesn't listen, non-blocking, with bad arguments, ended by shutdown, addresses.
#include "os/channel.h"

static void shut(int fd) { CHECK_OK(shutdown(fd, SHUT_RD)); }

int main(void) {
    struct sockaddr_in addr;
    int listener = tcp_listener(&addr);
    CHECK_INTERRUPTED(accept(listener, NULL, NULL));
    CHECK_INTERRUPTED(accept4(listener, NULL, NULL, SOCK_NONBLOCK));
    int idle = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_ERR(accept(idle, NULL, NULL), EINVAL);
    CHECK_ERR(accept(udp, NULL, NULL), EOPNOTSUPP);
    CHECK_ERR(accept(0x7fff, NULL, NULL), EBADF);
    int end[2];
    open_pipe(end);
    CHECK_ERR(accept(end[0], NULL, NULL), ENOTSOCK);
    CHECK_ERR(accept4(listener, NULL, NULL, 0x5555), EINVAL);

    // The address is cut to the room given, its length told in full.
    int client = tcp_connect(&addr);
    char small[4] = "zzzz";
    socklen_t len = 2;
    int fd = accept(listener, (struct sockaddr *)small, &len);
    CHECK(fd >= 0);
    CHECK_EQ(len, sizeof addr);
    CHECK_EQ(small[2], 'z');
    client = tcp_connect(&addr);
    CHECK_OK(fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(read(fd, small, 1), EAGAIN);
    CHECK_OK(close(client));

    CHECK_OK(fcntl(listener, F_SETFL, O_NONBLOCK));
    CHECK_ERR(accept(listener, NULL, NULL), EAGAIN);
    CHECK_OK(fcntl(listener, F_SETFL, 0));

    struct later later = {.fd = listener, .act = shut};
    pthread_t t = spawn(do_later, &later);
    CHECK_ERR(accept(listener, NULL, NULL), EINVAL);
    join_thread(t);
    return 0;
}
