// clone3 refuses a stack without a size, a size without a stack, flags that don't go together and wrong sizes of its argument, with other threads alive.
#include "check.h"
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>

static struct clone_args args;

static long clone3(size_t size) { return syscall(SYS_clone3, &args, size); }

static void *wait_here(void *arg) {
    pause();
    return arg;
}

int main(void) {
    static char stack[16384];
    spawn(wait_here, NULL);
    args.exit_signal = SIGCHLD;
    args.stack = (uintptr_t)stack;
    CHECK_ERR(clone3(sizeof args), EINVAL);
    args.stack = 0;
    args.stack_size = sizeof stack;
    CHECK_ERR(clone3(sizeof args), EINVAL);
    args.stack_size = 0;
    args.flags = CLONE_SIGHAND;
    CHECK_ERR(clone3(sizeof args), EINVAL);
    args.flags = CLONE_THREAD;
    CHECK_ERR(clone3(sizeof args), EINVAL);
    args.flags = CLONE_FS | CLONE_NEWNS;
    CHECK_ERR(clone3(sizeof args), EINVAL);
    args.flags = 0;
    CHECK_ERR(clone3(0), EINVAL);
    CHECK_ERR(clone3(63), EINVAL);
    args.exit_signal = 256;
    CHECK_ERR(clone3(sizeof args), EINVAL);
    args.exit_signal = SIGCHLD;
    pid_t child = clone3(sizeof args);
    if (child == 0)
        _exit(9);
    CHECK(child > 0);
    int status = wait_child(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 9);
    return 0;
}
