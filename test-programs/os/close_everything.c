// A program that closes every descriptor from 3 on, as daemons do, goes on working, threads, timers and sockets included.
#include "os/channel.h"

static void *read_it(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    return NULL;
}

static void work(void) {
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        kinds[k].open(end);
        pthread_t t = spawn(read_it, &end[0]);
        nap();
        CHECK_EQ(write(end[1], "x", 1), 1);
        join_thread(t);
        close_both(end);
    }
    int none = poll(NULL, 0, 2);
    CHECK_EQ(none, 0);
}

int main(void) {
    work();
    for (int round = 0; round < 3; round++) {
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        work();
    }
    CHECK_OK(close_range(3, ~0u, 0));
    work();
    // dup2 onto every number does the same harm.
    for (int fd = 3; fd < 64; fd++)
        CHECK_EQ(dup2(0, fd), fd);
    work();
    CHECK_OK(close_range(3, ~0u, 0));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        work();
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    work();
    return 0;
}
