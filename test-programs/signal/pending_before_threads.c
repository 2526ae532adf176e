// What was pending before the first thread stays whose it was: a thread's own signals are the main thread's, the process's are everybody's, in their order; a program that a thread executes finds both.
#include "check.h"

static sigset_t mine;
static int queued[] = {5, 3, 9};

static void *look(void *arg) {
    sigset_t set;
    CHECK_OK(sigpending(&set));
    CHECK(!sigismember(&set, SIGUSR1));
    CHECK(sigismember(&set, SIGUSR2));
    CHECK(sigismember(&set, SIGRTMIN));
    return arg;
}

static void *execute(void *arg) {
    // One for the thread alone, which takes it along.
    CHECK_OK(raise(SIGHUP));
    CHECK_ERR(execl("/dev/null", "none", (char *)NULL), EACCES);
    sigset_t set;
    CHECK_OK(sigpending(&set));
    CHECK(sigismember(&set, SIGHUP) && sigismember(&set, SIGTERM));
    execl("/proc/self/exe", "again", "executed", (char *)NULL);
    CHECK_FAIL("not executed (errno %d)", errno);
    return arg;
}

static int executed(void) {
    sigset_t set;
    CHECK_OK(sigpending(&set));
    CHECK(sigismember(&set, SIGHUP));
    CHECK(sigismember(&set, SIGTERM));
    CHECK(!sigismember(&set, SIGUSR1));
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "executed") == 0)
        return executed();
    CHECK_OK(sigemptyset(&mine));
    for (size_t i = 0; i < 5; i++)
        CHECK_OK(sigaddset(&mine, (int[]){SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGRTMIN}[i]));
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &mine, NULL), 0);

    CHECK_OK(raise(SIGUSR1));
    CHECK_OK(kill(getpid(), SIGUSR2));
    for (int i = 0; i < 3; i++)
        CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = queued[i]}));
    join_thread(spawn(look, NULL));

    sigset_t set;
    CHECK_OK(sigpending(&set));
    CHECK(sigismember(&set, SIGUSR1) && sigismember(&set, SIGUSR2) && sigismember(&set, SIGRTMIN));
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&mine, &info), SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER); // as libc shows SI_TKILL
    CHECK_EQ(info.si_pid, getpid());
    CHECK_EQ(sigwaitinfo(&mine, &info), SIGUSR2);
    CHECK_EQ(info.si_code, SI_USER);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sigwaitinfo(&mine, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, queued[i]);
    }
    CHECK_ERR(sigtimedwait(&mine, &info, &(struct timespec){0}), EAGAIN);

    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        CHECK_OK(kill(getpid(), SIGTERM));
        pthread_t thread;
        CHECK_RC(pthread_create(&thread, NULL, execute, NULL), 0);
        join_thread(thread);
        _exit(1);
    }
    CHECK_EQ(wait_child(child), 0);
    return 0;
}
