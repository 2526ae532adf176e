// A descriptor that the program itself made non-blocking never waits, on any kind and through any function.
#include "os/channel.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void set_nonblocking(int fd, int by_ioctl) {
    if (by_ioctl)
        CHECK_OK(ioctl(fd, FIONBIO, &(int){1}));
    else
        CHECK_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    static char data[1 << 16];
    struct iovec part = {data, sizeof data};

    for (int k = 0; k < KINDS; k++) {
        int end[2];
        kinds[k].open(end);
        set_nonblocking(end[0], k % 2);
        set_nonblocking(end[1], k % 2);
        CHECK_ERR(read(end[0], data, 10), EAGAIN);
        CHECK_ERR(readv(end[0], &part, 1), EAGAIN);
        if (kinds[k].traits & IS_SOCKET) {
            CHECK_ERR(recv(end[0], data, 10, 0), EAGAIN);
            CHECK_ERR(recv(end[0], data, 10, MSG_WAITALL), EAGAIN);
        }
        if (kinds[k].traits & IS_STREAM) {
            long total = 0;
            ssize_t n;
            while ((n = write(end[1], data, sizeof data)) > 0)
                total += n; // partial at the end
            CHECK_EQ(errno, EAGAIN);
            CHECK(total > 0);
            if (kinds[k].traits & IS_SOCKET)
                CHECK_ERR(send(end[1], data, 10, 0), EAGAIN);
            CHECK(read(end[0], data, 10) == 10);
        }
        CHECK(fcntl(end[0], F_GETFL) & O_NONBLOCK);

        // And blocking again, once it has been made so.
        if (kinds[k].traits & IS_STREAM) {
            while (read(end[0], data, sizeof data) > 0) {
            }
            CHECK_EQ(errno, EAGAIN);
        }
        CHECK_OK(fcntl(end[0], F_SETFL, fcntl(end[0], F_GETFL) & ~O_NONBLOCK));
        struct later later = {.fd = end[1], .data = "now", .len = 3};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(read(end[0], data, 10), 3);
        join_thread(t);
        close_both(end);
    }

    int fds[] = {eventfd(0, EFD_NONBLOCK), timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), inotify_init1(IN_NONBLOCK)};
    for (int i = 0; i < 3; i++) {
        CHECK(fds[i] >= 0);
        CHECK_ERR(read(fds[i], data, 1000), EAGAIN);
        CHECK_OK(close(fds[i]));
    }
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
