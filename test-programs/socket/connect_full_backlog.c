// connect to a Unix socket whose backlog is full waits until a thread accepts; several wait in line; a signal ends it.
#include "os/channel.h"

enum { CLIENTS = 12 };
static struct sockaddr_un name;
static socklen_t len;

static void *connect_and_write(void *arg) {
    int fd = socket(AF_UNIX, (int)(intptr_t)arg, 0);
    CHECK(fd >= 0);
    CHECK_OK(connect(fd, (struct sockaddr *)&name, len));
    CHECK_EQ(write(fd, "me", 2), 2);
    CHECK_OK(close(fd));
    return NULL;
}

static void *accept_all(void *arg) {
    nap();
    for (int i = 0; i < CLIENTS; i++) {
        char data[4];
        int fd = accept(*(int *)arg, NULL, NULL);
        CHECK(fd >= 0);
        CHECK_EQ(read(fd, data, 4), 2);
        CHECK_OK(close(fd));
    }
    return NULL;
}

int main(void) {
    int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
    for (int i = 0; i < 2; i++) {
        len = unix_address(&name);
        int listener = socket(AF_UNIX, types[i], 0);
        CHECK(listener >= 0);
        CHECK_OK(bind(listener, (struct sockaddr *)&name, len));
        CHECK_OK(listen(listener, 1));
        pthread_t clients[CLIENTS], server;
        for (int j = 0; j < CLIENTS; j++)
            clients[j] = spawn(connect_and_write, (void *)(intptr_t)types[i]);
        nap();
        server = spawn(accept_all, &listener);
        for (int j = 0; j < CLIENTS; j++)
            join_thread(clients[j]);
        join_thread(server);

        int fd[4], nonblocking = socket(AF_UNIX, types[i] | SOCK_NONBLOCK, 0);
        for (int j = 0; j < 3; j++)
            CHECK_OK(fd[j] = socket(AF_UNIX, types[i], 0));
        CHECK_OK(connect(fd[0], (struct sockaddr *)&name, len));
        CHECK_OK(connect(fd[1], (struct sockaddr *)&name, len));
        CHECK_ERR(connect(nonblocking, (struct sockaddr *)&name, len), EAGAIN);
        CHECK_INTERRUPTED(connect(fd[2], (struct sockaddr *)&name, len));
        CHECK_EQ(fcntl(fd[2], F_GETFL) & O_NONBLOCK, 0);
        CHECK_OK(close(listener));
    }
    return 0;
}
