// poll: nothing ready, timeouts of 0, some and -1, negative descriptors, duplicates, POLLNVAL, no descriptors as a sleep.
#include "os/channel.h"

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2], end[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    open_pipe(end);

    struct pollfd p[6] = {{.fd = end[0], .events = POLLIN}};
    CHECK_EQ(poll(p, 1, 0), 0);
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(poll(p, 1, 10), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 10000000);
    begin = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(poll(NULL, 0, 10), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 10000000);
    CHECK_EQ(poll(NULL, 0, 0), 0);

    struct later later = {.fd = end[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    p[0].revents = 0x7777;
    CHECK_EQ(poll(p, 1, -1), 1);
    CHECK_EQ(p[0].revents, POLLIN);
    join_thread(t);
    CHECK_EQ(poll(p, 1, -5), 1); // any negative timeout is none
    char c;
    CHECK_EQ(read(end[0], &c, 1), 1);

    // Descriptors below zero are left out, the same one twice is told twice, a closed one is POLLNVAL at once.
    p[0] = (struct pollfd){.fd = -1, .events = POLLIN, .revents = 77};
    p[1] = (struct pollfd){.fd = end[0], .events = POLLIN};
    p[2] = (struct pollfd){.fd = end[0], .events = POLLIN | POLLRDNORM};
    p[3] = (struct pollfd){.fd = -end[1], .events = POLLOUT};
    p[4] = (struct pollfd){.fd = end[0], .events = 0};
    t = spawn(do_later, &later);
    CHECK_EQ(poll(p, 5, -1), 2);
    CHECK_EQ(p[0].revents, 0);
    CHECK_EQ(p[1].revents, POLLIN);
    CHECK_EQ(p[2].revents, POLLIN | POLLRDNORM);
    CHECK_EQ(p[3].revents, 0);
    CHECK_EQ(p[4].revents, 0);
    join_thread(t);
    CHECK_EQ(read(end[0], &c, 1), 1);
    p[3] = (struct pollfd){.fd = 12345, .events = POLLIN};
    CHECK_EQ(poll(p, 5, -1), 1);
    CHECK_EQ(p[3].revents, POLLNVAL);
    p[0] = (struct pollfd){.fd = -1};
    CHECK_EQ(poll(p, 1, 5), 0);

    // Readable and writable on one socket, each when it is.
    int pair[2];
    open_stream(pair);
    p[0] = (struct pollfd){.fd = pair[0], .events = POLLIN | POLLOUT};
    CHECK_EQ(poll(p, 1, -1), 1);
    CHECK_EQ(p[0].revents, POLLOUT);
    CHECK_EQ(write(pair[1], "x", 1), 1);
    CHECK_EQ(poll(p, 1, -1), 1);
    CHECK_EQ(p[0].revents, POLLIN | POLLOUT);

    // Always ready, or not pollable in the kernel's eyes.
    p[0] = (struct pollfd){.fd = temp_file(), .events = POLLIN | POLLOUT};
    p[1] = (struct pollfd){.fd = open("/dev/null", O_RDWR), .events = POLLIN | POLLOUT};
    CHECK_EQ(poll(p, 2, -1), 2);
    CHECK_EQ(p[0].revents, POLLIN | POLLOUT);
    CHECK_EQ(p[1].revents, POLLIN | POLLOUT);
    struct pollfd *volatile bad = (struct pollfd *)8;
    CHECK_ERR(poll(bad, 1, 0), EFAULT);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
