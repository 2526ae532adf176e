// A new descriptor gets the lowest free number, also while threads are parked in reads, sleeps and polls.
#include "os/channel.h"

static void *read_until_closed(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void *poll_until_closed(void *arg) {
    struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, -1), 1);
    return NULL;
}

static void close_down_to(int first) {
    for (int fd = first; fd < 100; fd++)
        close(fd);
}

int main(void) {
    close_down_to(3);
    CHECK_EQ(open("/dev/null", O_RDONLY), 3);
    CHECK_EQ(dup(0), 4);
    int end[2];
    open_pipe(end);
    CHECK_EQ(end[0], 5);
    CHECK_EQ(end[1], 6);
    pthread_t a = spawn(read_until_closed, &end[0]), b = spawn(poll_until_closed, &end[0]);
    nap();
    CHECK_EQ(open("/dev/null", O_RDONLY), 7);
    CHECK_EQ(socket(AF_UNIX, SOCK_STREAM, 0), 8);
    CHECK_OK(close(3));
    CHECK_EQ(dup(7), 3);
    CHECK_OK(close(7));
    CHECK_EQ(fcntl(3, F_DUPFD, 4), 7);
    CHECK_OK(close(4));
    nap();
    CHECK_EQ(open("/dev/null", O_RDONLY), 4);
    int pair[2];
    open_stream(pair);
    CHECK_EQ(pair[0], 9);
    CHECK_EQ(pair[1], 10);
    CHECK_EQ(fcntl(0, F_DUPFD, 20), 20);
    CHECK_EQ(dup2(0, 15), 15);
    CHECK_EQ(open("/dev/null", O_RDONLY), 11);
    CHECK_OK(close(end[1]));
    join_thread(a);
    join_thread(b);
    CHECK_EQ(open("/dev/null", O_RDONLY), 6);
    return 0;
}
