// EPOLLEXCLUSIVE: of several processes, each with an epoll set of its own around one descriptor, each event wakes one.
#include "os/channel.h"
#include <sys/epoll.h>
#include <sys/mman.h>

enum { WAITERS = 5 };

static void *idle(void *arg) {
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? arg : NULL;
}

static int is_asleep(pid_t pid) {
    char path[64], stat[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    CHECK_OK(fd);
    ssize_t n = read(fd, stat, sizeof stat - 1);
    CHECK(n > 0);
    CHECK_OK(close(fd));
    stat[n] = '\0';
    return strrchr(stat, ')')[2] == 'S';
}

static void child(int fd, int told, int company) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLEXCLUSIVE};
    int set = epoll_create1(0);
    CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
    spawn(idle, &company);
    CHECK_EQ(write(told, "r", 1), 1);
    CHECK_EQ(epoll_wait(set, &event, 1, 60000), 1);
    CHECK_EQ(write(told, "w", 1), 1);
    _exit(0);
}

int main(void) {
    int end[2], told[2], company[2];
    char byte;
    pid_t children[WAITERS];
    open_pipe(end), open_pipe(told), open_pipe(company);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_OK(children[i] = fork());
        if (children[i] == 0)
            child(end[0], told[1], company[0]);
        read_whole(told[0], &byte, 1);
        CHECK_EQ(byte, 'r');
    }
    for (int i = 0; i < WAITERS; i++)
        EVENTUALLY(is_asleep(children[i]));
    sleep_ms(20);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(write(end[1], "x", 1), 1);
        read_whole(told[0], &byte, 1);
        CHECK_EQ(byte, 'w');
        struct pollfd more = {.fd = told[0], .events = POLLIN};
        CHECK_EQ(poll(&more, 1, 20), 0);
        read_whole(end[0], &byte, 1);
    }
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(wait_child(children[i]), 0);
    return 0;
}
