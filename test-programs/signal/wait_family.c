// sigwait, sigwaitinfo and sigtimedwait take pending and coming signals with true siginfo, in threads and main; EAGAIN at the timeout, EINVAL for a bad one.
#include "check.h"
#include <semaphore.h>

static sigset_t set;

static void *wait_values(void *arg) {
    for (int i = 0; i < 20; i++) {
        siginfo_t info;
        int sig;
        while ((sig = sigwaitinfo(&set, &info)) == -1)
            CHECK_EQ(errno, EINTR);
        CHECK_EQ(sig, SIGRTMIN + 1);
        CHECK_EQ(info.si_signo, SIGRTMIN + 1);
        CHECK_EQ(info.si_code, SI_QUEUE);
        CHECK_EQ(info.si_value.sival_int, 1000 + i);
        CHECK_EQ(info.si_pid, getpid());
        CHECK_EQ(info.si_uid, getuid());
    }
    return arg;
}

static void *wait_own(void *arg) {
    int sig = 0;
    CHECK_RC(sigwait(&set, &sig), 0);
    CHECK_EQ(sig, SIGUSR1);
    return arg;
}

int main(void) {
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN + 1);
    sigaddset(&set, SIGCHLD);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    siginfo_t info;
    sigset_t *volatile bad_set = NULL;
    struct timespec zero = {0, 0}, soon = {0, 15000000}, bad = {0, 1000000000};
    CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
    int64_t before = now_ns(CLOCK_MONOTONIC);
    CHECK_ERR(sigtimedwait(&set, &info, &soon), EAGAIN);
    CHECK(now_ns(CLOCK_MONOTONIC) - before >= 15000000);
    CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
    CHECK_ERR(sigtimedwait(bad_set, &info, &zero), EFAULT);

    CHECK_OK(raise(SIGUSR2));
    CHECK_EQ(sigtimedwait(&set, &info, &zero), SIGUSR2);
    CHECK_EQ(info.si_code, SI_USER); // glibc makes it of the kernel's SI_TKILL
    CHECK_EQ(info.si_pid, getpid());
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_EQ(info.si_uid, getuid());

    pthread_t t = spawn(wait_values, NULL);
    for (int i = 0; i < 20; i++)
        CHECK_RC(pthread_sigqueue(t, SIGRTMIN + 1, (union sigval){.sival_int = 1000 + i}), 0);
    join_thread(t);
    t = spawn(wait_values, NULL);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 1000 + i}));
        if (i % 4 == 0)
            sleep_ms(1);
    }
    join_thread(t);

    // One signal, one of many waiters.
    pthread_t many[10];
    for (int i = 0; i < 10; i++)
        many[i] = spawn(wait_own, NULL);
    int left = 10;
    while (left > 0) {
        CHECK_OK(kill(getpid(), SIGUSR1));
        int before_left = left;
        while (left == before_left) {
            for (int i = 0; i < 10; i++)
                if (many[i] != 0 && pthread_tryjoin_np(many[i], NULL) == 0) {
                    many[i] = 0;
                    left--;
                }
            sched_yield();
        }
        CHECK_EQ(left, before_left - 1);
    }
    // A thread's own signal goes to it, though another waits for the same.
    t = spawn(wait_own, NULL);
    pthread_t other = spawn(wait_own, NULL);
    CHECK_RC(pthread_kill(t, SIGUSR1), 0);
    join_thread(t);
    CHECK_RC(pthread_tryjoin_np(other, NULL), EBUSY);
    CHECK_RC(pthread_kill(other, SIGUSR1), 0);
    join_thread(other);

    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        _exit(3);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGCHLD);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_status, 3);
    wait_child(pid);
    return 0;
}
