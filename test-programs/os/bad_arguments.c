// Bad descriptors and bad pointers are errors, as from the kernel, and take nothing.
#include "os/channel.h"
#include <limits.h>
#include <sys/epoll.h>

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    char *volatile bad = (char *)8;
    char data[10];
    CHECK_ERR(read(-1, data, 1), EBADF);
    CHECK_ERR(write(12345, data, 1), EBADF);
    CHECK_ERR(close(12345), EBADF);
    CHECK_ERR(dup2(12345, 5), EBADF);
    CHECK_ERR(dup(-7), EBADF);
    struct epoll_event exclusive = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    CHECK_ERR(epoll_ctl(INT_MAX, EPOLL_CTL_ADD, gate[0], &exclusive), EBADF);
    CHECK_ERR(epoll_wait(INT_MAX, &exclusive, 1, -1), EBADF);
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        kinds[k].open(end);
        CHECK_EQ(write(end[1], "abc", 3), 3);
        CHECK_ERR(write(end[1], bad, 5), EFAULT);
        struct iovec part = {bad, 5};
        CHECK_ERR(writev(end[1], &part, 1), EFAULT);
        CHECK_ERR(writev(end[1], (struct iovec *)bad, 1), EFAULT);
        if (kinds[k].traits & IS_STREAM && strcmp(kinds[k].name, "pty") != 0) {
            CHECK_ERR(read(end[0], bad, 5), EFAULT);
            CHECK_EQ(read(end[0], data, sizeof data), 3); // nothing was lost
        } else {
            CHECK_ERR(read(end[0], bad, 5), EFAULT);
        }
        close_both(end);
    }
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
