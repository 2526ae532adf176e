// Ten levels of fork, each from a thread with others parked: each is a process of its own with threads.
#include "os/channel.h"

static int level, gate[2];

static void *stay_parked(void *arg) {
    char c;
    read(*(int *)arg, &c, 1);
    return NULL;
}

static void *descend(void *arg);

static int one_level(void) {
    spawn(stay_parked, &gate[0]);
    spawn(stay_parked, &gate[0]);
    int end[2];
    char c;
    open_pipe(end);
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(read(end[0], &c, 1), 1);
    join_thread(t);
    if (++level == 10)
        return 42;
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        _exit((int)(intptr_t)join_thread(spawn(descend, NULL)));
    int status = wait_child(pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void *descend(void *arg) {
    (void)arg;
    return (void *)(intptr_t)one_level();
}

int main(void) {
    open_pipe(gate);
    CHECK_EQ((intptr_t)join_thread(spawn(descend, NULL)), 42);
    return 0;
}
