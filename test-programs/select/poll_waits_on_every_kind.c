// poll and ppoll wait until another thread makes the descriptor ready: to read on every kind, to write on full ones.
#include "os/channel.h"
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static void drain(int fd) {
    char data[4096];
    while (poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 1)
        CHECK(read(fd, data, sizeof data) > 0);
}

static int wait_for(int how, int fd, short events) {
    struct pollfd p[3] = {{.fd = -1}, {.fd = fd, .events = events}, {.fd = fd, .events = 0}};
    struct timespec minute = {.tv_sec = 60};
    int n = how == 0   ? poll(p, 3, -1)
            : how == 1 ? poll(p, 3, 60000)
            : how == 2 ? ppoll(p, 3, NULL, NULL)
                       : ppoll(p, 3, &minute, NULL);
    CHECK_EQ(n, 1);
    return p[1].revents;
}

int main(void) {
    static char data[4096];
    for (int k = 0; k < KINDS; k++)
        for (int how = 0; how < 4; how++) {
            int end[2];
            kinds[k].open(end);
            struct later later = {.fd = end[1], .data = "ready", .len = 5};
            pthread_t t = spawn(do_later, &later);
            CHECK_EQ(wait_for(how, end[0], POLLIN), POLLIN);
            CHECK_EQ(read(end[0], data, sizeof data), 5);
            join_thread(t);

            if (kinds[k].traits & IS_STREAM) {
                CHECK_OK(fcntl(end[1], F_SETFL, fcntl(end[1], F_GETFL) | O_NONBLOCK));
                do
                    while (write(end[1], data, sizeof data) > 0) {
                    }
                while (poll(&(struct pollfd){.fd = end[1], .events = POLLOUT}, 1, 20) == 1);
                later = (struct later){.fd = end[0], .act = drain};
                t = spawn(do_later, &later);
                CHECK_EQ(wait_for(how, end[1], POLLOUT), POLLOUT);
                join_thread(t);
            }
            close_both(end);
        }

    int event = eventfd(0, 0);
    struct later later = {.fd = event, .data = "\1\0\0\0\0\0\0", .len = 8};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(wait_for(0, event, POLLIN), POLLIN);
    join_thread(t);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value.tv_nsec = 5000000};
    CHECK_OK(timerfd_settime(timer, 0, &soon, NULL));
    CHECK_EQ(wait_for(0, timer, POLLIN), POLLIN);
    return 0;
}
