// A child of clone3 with CLONE_CLEAR_SIGHAND begins with the default action where its parent had a handler; what was ignored stays so.
#include "check.h"
#include <linux/sched.h>
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND (1ULL << 32)
#endif

static void handler(int signal) { (void)signal; }

static void *idle(void *arg) {
    (void)arg;
    pause();
    return NULL;
}

static sighandler_t action_of(int signal) {
    struct sigaction now;
    CHECK_OK(sigaction(signal, NULL, &now));
    return now.sa_handler;
}

static pid_t child_with(unsigned long long flags) {
    struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

int main(void) {
    spawn(idle, NULL);
    signal(SIGUSR1, handler);
    signal(SIGSEGV, handler);
    signal(SIGUSR2, SIG_IGN);
    for (int clear = 0; clear < 2; clear++) {
        sighandler_t wanted = clear ? SIG_DFL : handler;
        pid_t pid = child_with(clear ? CLONE_CLEAR_SIGHAND : 0);
        if (pid == -1 && errno == ENOSYS)
            SKIP("no clone3");
        CHECK_OK(pid);
        if (pid == 0) {
            CHECK(action_of(SIGUSR1) == wanted);
            CHECK(action_of(SIGSEGV) == wanted);
            CHECK(action_of(SIGUSR2) == SIG_IGN);
            CHECK(action_of(SIGTERM) == SIG_DFL);
            // Whether the child has a hub that reads memory for calls: a bad address is EFAULT, not the end.
            CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8L, NULL, 8L), EFAULT);
            raise(SIGUSR1);
            _exit(3);
        }
        int status = wait_child(pid);
        if (clear)
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
        else
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    }
    CHECK(action_of(SIGUSR1) == handler);
    return 0;
}
