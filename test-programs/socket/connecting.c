// connect: refused, already connected, to nobody, to the wrong type, non-blocking, and to a thread that accepts later.
#include "os/channel.h"
#include <netdb.h>

static void *accept_one(void *arg) {
    nap();
    int fd = accept(*(int *)arg, NULL, NULL);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "hello", 5), 5);
    CHECK_OK(close(fd));
    return NULL;
}

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    struct sockaddr_in addr, nobody;
    char data[10];
    int listener = tcp_listener(&addr), unused = tcp_listener(&nobody);
    CHECK_OK(close(unused));

    pthread_t t = spawn(accept_one, &listener);
    int fd = tcp_connect(&addr);
    read_whole(fd, data, 5);
    CHECK(memcmp(data, "hello", 5) == 0);
    CHECK_ERR(connect(fd, (struct sockaddr *)&addr, sizeof addr), EISCONN);
    CHECK_EQ(read(fd, data, 1), 0);
    join_thread(t);
    CHECK_OK(close(fd));

    for (int i = 0; i < 3; i++) {
        CHECK_OK(fd = socket(AF_INET, SOCK_STREAM, 0));
        CHECK_ERR(connect(fd, (struct sockaddr *)&nobody, sizeof nobody), ECONNREFUSED);
        CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        // The same socket may be used again.
        t = spawn(accept_one, &listener);
        CHECK_OK(connect(fd, (struct sockaddr *)&addr, sizeof addr));
        read_whole(fd, data, 5);
        join_thread(t);
        CHECK_OK(close(fd));
    }
    CHECK_OK(fd = socket(AF_INET, SOCK_STREAM, 0));
    CHECK_ERR(connect(fd, (struct sockaddr *)&addr, 3), EINVAL);
    CHECK_ERR(connect(fd, (struct sockaddr *)8, sizeof addr), EFAULT);
    CHECK_ERR(connect(gate[0], (struct sockaddr *)&addr, sizeof addr), ENOTSOCK);
    CHECK_ERR(connect(12345, (struct sockaddr *)&addr, sizeof addr), EBADF);
    struct sockaddr_in wrong = addr;
    wrong.sin_family = AF_INET6;
    CHECK_ERR(connect(fd, (struct sockaddr *)&wrong, sizeof wrong), EAFNOSUPPORT);

    struct sockaddr_un name;
    socklen_t len = unix_address(&name);
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_ERR(connect(local, (struct sockaddr *)&name, len), ECONNREFUSED);
    struct sockaddr_un missing = {.sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};
    CHECK_ERR(connect(local, (struct sockaddr *)&missing, sizeof missing), ENOENT);

    // Made non-blocking by the program: EINPROGRESS, then poll and SO_ERROR tell.
    struct sockaddr_in *to[2] = {&addr, &nobody};
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            t = spawn(accept_one, &listener);
        int nb = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
        CHECK(nb >= 0);
        int rc = connect(nb, (struct sockaddr *)to[i], sizeof addr);
        CHECK_EQ(rc, -1);
        CHECK(errno == EINPROGRESS || (i == 1 && errno == ECONNREFUSED));
        if (errno == EINPROGRESS) {
            struct pollfd p = {.fd = nb, .events = POLLOUT};
            CHECK_EQ(poll(&p, 1, -1), 1);
            CHECK_OK(getsockopt(nb, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}));
            CHECK_EQ(error, i == 0 ? 0 : ECONNREFUSED);
        }
        if (i == 0) {
            struct pollfd p = {.fd = nb, .events = POLLIN};
            CHECK_EQ(poll(&p, 1, -1), 1);
            CHECK_EQ(read(nb, data, 5), 5);
            join_thread(t);
        }
        CHECK_OK(close(nb));
    }

    // A connected UDP socket learns that nobody is there.
    CHECK_OK(fd = socket(AF_INET, SOCK_DGRAM, 0));
    CHECK_OK(connect(fd, (struct sockaddr *)&nobody, sizeof nobody));
    CHECK_EQ(send(fd, "x", 1, 0), 1);
    CHECK_ERR(recv(fd, data, 1, 0), ECONNREFUSED);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK_OK(connect(fd, &none, sizeof none));
    CHECK_ERR(send(fd, "x", 1, 0), EDESTADDRREQ);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
