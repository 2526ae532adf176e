// A child process made by clone with CLONE_FILES shares the descriptor table: it may close all that the parent opened,
// and the parent's threads go on waiting. clone3 refuses what the kernel refuses.
#include "os/channel.h"
#include <linux/sched.h>

static int answer[2];

static void *reader(void *arg) {
    char c = 0;
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    CHECK_EQ(c, 'r');
    return NULL;
}

static pid_t clone_sharing(void) { return (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0); }

int main(void) {
    int end[2];
    open_pipe(answer);
    open_pipe(end);
    pthread_t waits = spawn(reader, &answer[0]);
    nap();
    pid_t pid = clone_sharing();
    CHECK_OK(pid);
    if (pid == 0) {
        // Waits itself, and opens, closes and marks in the table that is the parent's as well.
        struct pollfd none = {.fd = end[0], .events = POLLIN};
        CHECK_EQ(poll(&none, 1, 5), 0);
        CHECK_OK(close_range(end[0], end[0], 0));
        CHECK_OK(close_range(3, ~0u, CLOSE_RANGE_CLOEXEC));
        CHECK_OK(close_range(200, ~0u, 0));
        _exit(5);
    }
    CHECK_EQ(wait_child(pid), 5 << 8);
    CHECK_ERR(fcntl(end[0], F_GETFD), EBADF);
    CHECK_EQ(fcntl(answer[0], F_GETFD), FD_CLOEXEC);
    sleep_ms(2);
    CHECK_EQ(write(answer[1], "r", 1), 1);
    join_thread(waits);

    struct clone_args args = {.exit_signal = SIGCHLD, .stack = (uintptr_t)&args};
    CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
    args.stack = 0;
    args.stack_size = 4096;
    CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
    args.stack = (uintptr_t)&args;
    CHECK_ERR(syscall(SYS_clone3, &args, 8), EINVAL);
    CHECK_ERR(syscall(SYS_clone3, &args, 1 << 20), E2BIG);
    return 0;
}
