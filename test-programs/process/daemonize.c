// daemon() from a process with threads: the daemon works, with threads and descriptors of its own.
#include "os/channel.h"

static void *stay_parked(void *arg) {
    char c;
    read(*(int *)arg, &c, 1);
    return NULL;
}

int main(void) {
    int gate[2], report[2];
    open_pipe(gate);
    open_pipe(report);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        spawn(stay_parked, &gate[0]);
        CHECK_OK(daemon(0, 0));
        CHECK_EQ(getsid(0), getpgrp());
        struct later later = {.fd = report[1], .data = "daemon", .len = 6};
        pthread_t t = spawn(do_later, &later);
        join_thread(t);
        char c;
        CHECK_EQ(read(0, &c, 1), 0);
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    CHECK_OK(close(report[1]));
    char text[16];
    read_whole(report[0], text, 6);
    CHECK(memcmp(text, "daemon", 6) == 0);
    CHECK_EQ(read(report[0], text, 1), 0);
    return 0;
}
