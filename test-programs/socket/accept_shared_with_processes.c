// Parent and forked workers accept on one socket, each with several threads: every connection is served exactly once.
#include "os/channel.h"

enum { WORKERS = 3, THREADS = 3, CONNECTIONS = 300 };

static int listener;
static struct sockaddr_in addr;

static void *serve(void *arg) {
    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL), number;
        CHECK(fd >= 0);
        read_whole(fd, &number, sizeof number);
        pid_t me = getpid();
        write_whole(fd, &me, sizeof me);
        CHECK_OK(close(fd));
    }
    return NULL;
}

static void *wait_for_ever(void *arg) {
    serve(arg);
    return NULL;
}

int main(void) {
    listener = tcp_listener(&addr);
    pid_t workers[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        CHECK_OK(workers[i] = fork());
        if (workers[i] == 0) {
            for (int j = 0; j < THREADS - 1; j++)
                spawn(wait_for_ever, NULL);
            serve(NULL);
        }
    }
    for (int j = 0; j < THREADS; j++)
        spawn(wait_for_ever, NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        int fd = tcp_connect(&addr);
        pid_t by;
        write_whole(fd, &i, sizeof i);
        read_whole(fd, &by, sizeof by);
        int known = by == getpid();
        for (int j = 0; j < WORKERS; j++)
            known |= by == workers[j];
        CHECK(known);
        CHECK_EQ(read(fd, &by, 1), 0);
        CHECK_OK(close(fd));
    }
    CHECK_EQ(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
    for (int i = 0; i < WORKERS; i++) {
        CHECK_OK(kill(workers[i], SIGKILL));
        CHECK_EQ(wait_child(workers[i]), SIGKILL);
    }
    // The others gone, this process alone still serves, and the socket is still blocking.
    int fd = tcp_connect(&addr), number = 1;
    pid_t by;
    write_whole(fd, &number, sizeof number);
    read_whole(fd, &by, sizeof by);
    CHECK_EQ(by, getpid());
    CHECK_EQ(fcntl(listener, F_GETFL) & O_NONBLOCK, 0);
    return 0;
}
