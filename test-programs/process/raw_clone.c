// A process made by clone with its own memory, or by clone with CLONE_VFORK, is a process like a forked one.
#include "os/channel.h"

static int end[2];

static void *stay_parked(void *arg) {
    char c;
    read(*(int *)arg, &c, 1);
    return NULL;
}

static int child_main(void *arg) {
    CHECK_EQ(write(end[1], arg, 1), 1);
    return 19;
}

int main(void) {
    int gate[2];
    char c;
    static char stack[65536] __attribute__((aligned(16)));
    open_pipe(gate);
    open_pipe(end);
    spawn(stay_parked, &gate[0]);
    nap();
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_EQ(write(end[1], "a", 1), 1);
        _exit(18);
    }
    CHECK_EQ(read(end[0], &c, 1), 1);
    CHECK_EQ(wait_child(pid), 18 << 8);

    CHECK_OK(pid = clone(child_main, stack + sizeof stack, SIGCHLD, "b"));
    CHECK_EQ(read(end[0], &c, 1), 1);
    CHECK_EQ(c, 'b');
    CHECK_EQ(wait_child(pid), 19 << 8);

    CHECK_OK(pid = clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, "c"));
    CHECK_EQ(read(end[0], &c, 1), 1);
    CHECK_EQ(wait_child(pid), 19 << 8);
    return 0;
}
