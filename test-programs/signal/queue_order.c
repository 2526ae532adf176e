// Real-time signals queue and arrive lowest number first and in order within a number; standard ones collapse; a thread's own pending set is separate from the process's.
#include "check.h"
#include <semaphore.h>

// Volatile: the compiler takes it that pthread_sigmask calls nothing of this file.
static volatile int got[64], values[64], n;
static sem_t ready, hold;

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)context;
    got[n] = sig;
    values[n] = info->si_value.sival_int;
    n++;
}

static void *has_own_pending(void *arg) {
    sigset_t pending;
    CHECK_OK(raise(SIGUSR2));
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR2) && sigismember(&pending, SIGUSR1));
    sem_post(&ready);
    sem_wait(&hold);
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigfillset(&sa.sa_mask);
    sigset_t all, pending;
    sigemptyset(&all);
    int signals[] = {SIGUSR1, SIGUSR2, SIGRTMIN + 1, SIGRTMIN + 2, SIGRTMIN + 3};
    for (int i = 0; i < 5; i++) {
        CHECK_OK(sigaction(signals[i], &sa, NULL));
        sigaddset(&all, signals[i]);
    }
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    CHECK_OK(kill(getpid(), SIGUSR1));
    pthread_t t = spawn(has_own_pending, NULL);
    sem_wait(&ready);
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGUSR2));
    for (int i = 0; i < 4; i++) {
        CHECK_OK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = 30 + i}));
        CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
        CHECK_OK(kill(getpid(), SIGUSR1));
        CHECK_RC(pthread_sigqueue(pthread_self(), SIGRTMIN + 2, (union sigval){.sival_int = 20 + i}), 0);
    }
    CHECK_EQ(n, 0);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &all, NULL), 0);
    // One SIGUSR1 for five; all real-time ones.
    CHECK_EQ(n, 13);
    int ones = 0, usr1 = 0, next[4] = {0};
    for (int i = 0; i < n; i++) {
        if (got[i] == SIGUSR1) {
            usr1++;
            continue;
        }
        int which = got[i] - SIGRTMIN;
        CHECK(which >= 1 && which <= 3);
        CHECK_EQ(values[i], which * 10 + next[which]);
        next[which]++;
        ones += which == 1;
    }
    CHECK_EQ(usr1, 1);
    CHECK_EQ(ones, 4);
    CHECK(next[1] == 4 && next[2] == 4 && next[3] == 4);
    sem_post(&hold);
    join_thread(t);
    return 0;
}
