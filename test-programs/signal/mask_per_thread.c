// Signal masks: inherited at creation, each thread's own afterwards, EINVAL for a bad action; SIGKILL and SIGSTOP cannot be blocked.
#include "check.h"
#include <semaphore.h>

static sem_t ready, hold;

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static void *inherits(void *arg) {
    CHECK(blocked(SIGUSR1) && blocked(SIGRTMIN + 3) && !blocked(SIGUSR2));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    CHECK(!blocked(SIGUSR1) && blocked(SIGRTMIN + 3) && blocked(SIGUSR2) && !blocked(SIGTERM));
    return arg;
}

int main(void) {
    sigset_t set, old;
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 3);
    sigaddset(&set, SIGKILL);
    sigaddset(&set, SIGSTOP);
    CHECK_RC(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
    CHECK(!blocked(SIGKILL) && !blocked(SIGSTOP));
    CHECK_RC(pthread_sigmask(99, &set, NULL), EINVAL);
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        t[i] = spawn(inherits, NULL);
    for (int i = 0; i < 5; i++)
        CHECK_OK(sem_wait(&ready));
    CHECK(blocked(SIGUSR1) && blocked(SIGRTMIN + 3) && !blocked(SIGUSR2));
    sigfillset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, &old));
    CHECK(sigismember(&old, SIGUSR1) && !sigismember(&old, SIGUSR2));
    CHECK(blocked(SIGTERM));
    for (int i = 0; i < 5; i++)
        CHECK_OK(sem_post(&hold));
    for (int i = 0; i < 5; i++)
        join_thread(t[i]);
    return 0;
}
