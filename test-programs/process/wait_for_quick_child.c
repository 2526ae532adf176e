// A child that ends at once is what waiting for it gives, although the handler of its signal interrupts other calls: never EINTR.
#include "check.h"

static int signals;

static void count(int signal) {
    (void)signal;
    signals++;
}

static void *idle(void *arg) {
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? arg : NULL;
}

int main(void) {
    int end[2];
    CHECK_OK(pipe(end));
    struct sigaction action = {.sa_handler = count};
    CHECK_OK(sigaction(SIGCHLD, &action, NULL));
    pthread_t company = spawn(idle, &end[0]);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (int i = 0; i < 400; i++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0)
            _exit(i & 127);
        int status = 0;
        siginfo_t info = {0};
        switch (i % 4) {
        case 0:
            CHECK_EQ(waitpid(pid, &status, 0), pid);
            break;
        case 1:
            CHECK_EQ(waitpid(pid, &status, __WALL), pid);
            break;
        case 2:
            CHECK_EQ(waitpid(-1, &status, 0), pid);
            break;
        default:
            CHECK_OK(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED | WSTOPPED));
            CHECK_EQ(info.si_pid, pid);
            status = info.si_status << 8;
        }
        CHECK_EQ(WEXITSTATUS(status), i & 127);
    }
    // The last one may still be on its way.
    EVENTUALLY(signals >= 1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &child, NULL), 0);
    CHECK_EQ(write(end[1], "x", 1), 1);
    join_thread(company);
    return 0;
}
