// SO_RCVTIMEO and SO_SNDTIMEO: every call that waits gives up with its error after the time set, and not before.
#include "os/channel.h"

enum { WAIT_NS = 20 * 1000000 };
static const struct timeval wait_time = {.tv_usec = WAIT_NS / 1000};

#define CHECK_GIVES_UP(call, expected)                                \
    do {                                                              \
        int64_t begin_ = now_ns(CLOCK_MONOTONIC);                     \
        CHECK_ERR(call, expected);                                    \
        /* the kernel counts in ticks of up to 10 ms */               \
        CHECK(now_ns(CLOCK_MONOTONIC) - begin_ >= WAIT_NS - 10000000); \
    } while (0)

static void set(int fd, int option, struct timeval value) {
    CHECK_OK(setsockopt(fd, SOL_SOCKET, option, &value, sizeof value));
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
    static char data[1 << 20];
    for (int k = 0; k < KINDS; k++) {
        if (!(kinds[k].traits & IS_SOCKET))
            continue;
        int end[2];
        kinds[k].open(end);
        set(end[0], SO_RCVTIMEO, wait_time);
        CHECK_GIVES_UP(recv(end[0], data, 10, 0), EAGAIN);
        CHECK_GIVES_UP(read(end[0], data, 10), EAGAIN);
        CHECK_GIVES_UP(recv(end[0], data, 10, MSG_PEEK), EAGAIN);
        struct iovec part = {data, 10};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        CHECK_GIVES_UP(recvmsg(end[0], &message, 0), EAGAIN);
        CHECK_GIVES_UP(readv(end[0], &part, 1), EAGAIN);

        set(end[0], SO_RCVTIMEO, (struct timeval){.tv_sec = 60});
        struct later later = {.fd = end[1], .data = "abc", .len = 3};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(recv(end[0], data, 10, 0), 3); // in time
        join_thread(t);
        set(end[0], SO_RCVTIMEO, (struct timeval){0}); // for ever
        t = spawn(do_later, &later);
        CHECK_EQ(recv(end[0], data, 10, 0), 3);
        join_thread(t);

        if (kinds[k].traits & IS_STREAM) {
            set(end[0], SO_RCVTIMEO, wait_time);
            CHECK_EQ(write(end[1], "abc", 3), 3);
            EVENTUALLY(recv(end[0], data, 10, MSG_PEEK | MSG_DONTWAIT) == 3);
            CHECK_EQ(recv(end[0], data, 10, MSG_WAITALL), 3); // what came in time

            set(end[1], SO_SNDTIMEO, wait_time);
            ssize_t n = send(end[1], data, sizeof data, 0);
            CHECK(n > 0 && n < (ssize_t)sizeof data); // the part that found room
            int64_t begin;
            do // TCP finds room later, too
                begin = now_ns(CLOCK_MONOTONIC);
            while ((n = write(end[1], data, sizeof data)) > 0);
            CHECK_EQ(n, -1);
            CHECK_EQ(errno, EAGAIN);
            CHECK(now_ns(CLOCK_MONOTONIC) - begin >= WAIT_NS - 10000000);
        } else if (strcmp(kinds[k].name, "udp") != 0) {
            set(end[1], SO_SNDTIMEO, wait_time);
            int sent = 0;
            while (send(end[1], data, 100, 0) == 100)
                sent++;
            CHECK_EQ(errno, EAGAIN);
            CHECK(sent > 0);
            CHECK_GIVES_UP(send(end[1], data, 100, 0), EAGAIN);
        }
        CHECK_EQ(fcntl(end[0], F_GETFL) & O_NONBLOCK, 0);
        close_both(end);
    }

    struct sockaddr_in addr;
    int listener = tcp_listener(&addr);
    set(listener, SO_RCVTIMEO, wait_time);
    CHECK_GIVES_UP(accept(listener, NULL, NULL), EAGAIN);
    CHECK_GIVES_UP(accept4(listener, NULL, NULL, SOCK_CLOEXEC), EAGAIN);
    CHECK_ERR(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 1000000}, sizeof wait_time), EDOM);

    // connect: EAGAIN for a full Unix backlog, EINPROGRESS for TCP, where the listener drops what it has no room for.
    struct sockaddr_un name;
    socklen_t len = unix_address(&name);
    int full = socket(AF_UNIX, SOCK_STREAM, 0), client;
    CHECK(full >= 0);
    CHECK_OK(bind(full, (struct sockaddr *)&name, len));
    CHECK_OK(listen(full, 0));
    CHECK_OK(client = socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_OK(connect(client, (struct sockaddr *)&name, len));
    CHECK_OK(client = socket(AF_UNIX, SOCK_STREAM, 0));
    set(client, SO_SNDTIMEO, wait_time);
    CHECK_GIVES_UP(connect(client, (struct sockaddr *)&name, len), EAGAIN);

    CHECK_OK(listen(listener, 0));
    CHECK_OK(client = socket(AF_INET, SOCK_STREAM, 0));
    CHECK_OK(connect(client, (struct sockaddr *)&addr, sizeof addr));
    CHECK_OK(client = socket(AF_INET, SOCK_STREAM, 0));
    set(client, SO_SNDTIMEO, wait_time);
    CHECK_GIVES_UP(connect(client, (struct sockaddr *)&addr, sizeof addr), EINPROGRESS);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
