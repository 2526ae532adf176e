// wait, waitpid, wait3, wait4 and waitid wait while the thread runs that lets the child end; WNOHANG; ECHILD; statuses.
#include "os/channel.h"
#include <sys/resource.h>

static int gate[2];

static pid_t child_that_ends_with(int code) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char c;
        CHECK_EQ(read(gate[0], &c, 1), 1);
        _exit(code);
    }
    return pid;
}

int main(void) {
    int status;
    struct rusage usage;
    siginfo_t info;
    open_pipe(gate);
    CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
    CHECK_ERR(wait(NULL), ECHILD);
    for (int form = 0; form < 10; form++) {
        pid_t pid = child_that_ends_with(form + 1);
        struct later later = {.fd = gate[1], .data = "x", .len = 1};
        CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
        info.si_pid = 5;
        CHECK_OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
        CHECK_EQ(info.si_pid, 0);
        pthread_t t = spawn(do_later, &later);
        pid_t got = -1;
        status = -1;
        switch (form) {
        case 0:
            got = wait(&status);
            break;
        case 1:
            got = waitpid(pid, &status, 0);
            break;
        case 2:
            got = waitpid(-1, &status, 0);
            break;
        case 3:
            got = waitpid(0, &status, 0);
            break;
        case 4:
            got = waitpid(-getpgrp(), &status, 0);
            break;
        case 5:
            memset(&usage, 0x55, sizeof usage);
            got = wait4(pid, &status, 0, &usage);
            CHECK(usage.ru_maxrss > 0 && usage.ru_maxrss < 1 << 30);
            break;
        case 6:
            got = wait3(&status, 0, &usage);
            break;
        default:
            info.si_pid = 0;
            CHECK_OK(waitid(form == 7 ? P_PID : form == 8 ? P_ALL : P_PGID, form == 7 ? pid : form == 8 ? 0 : getpgrp(), &info,
                            WEXITED));
            got = info.si_pid;
            CHECK_EQ(info.si_code, CLD_EXITED);
            CHECK_EQ(info.si_signo, SIGCHLD);
            status = info.si_status << 8;
        }
        CHECK_EQ(got, pid);
        CHECK_EQ(status, (form + 1) << 8);
        join_thread(t);
        CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
    }

    // A pidfd; and without taking it, twice.
    pid_t pid = child_that_ends_with(33);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd != -1) {
        struct later later = {.fd = gate[1], .data = "x", .len = 1};
        pthread_t t = spawn(do_later, &later);
        CHECK_OK(waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT));
        CHECK_EQ(info.si_status, 33);
        info.si_status = 0;
        CHECK_OK(waitid(P_PIDFD, pidfd, &info, WEXITED));
        CHECK_EQ(info.si_status, 33);
        join_thread(t);
        CHECK_ERR(waitid(P_PIDFD, pidfd, &info, WEXITED), ECHILD);
    }
    CHECK_ERR(waitpid(getppid(), &status, 0), ECHILD);
    CHECK_ERR(waitpid(-1, &status, 0x10000), EINVAL);
    CHECK_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
    return 0;
}
