// A signal for the process goes to a thread that does not block it: the only one there is, main before others, none (pending) until somebody unblocks it.
#include "check.h"
#include <semaphore.h>

static pthread_t handled_by;
static int handled, stop;
static sem_t ready;

static void on_signal(int sig) {
    (void)sig;
    handled_by = pthread_self();
    __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static sigset_t usr1(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return set;
}

static void *park(void *arg) {
    sigset_t set = usr1();
    CHECK_RC(pthread_sigmask(arg ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL), 0);
    sem_post(&ready);
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    return NULL;
}

static int count(void) { return __atomic_load_n(&handled, __ATOMIC_SEQ_CST); }

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    struct sigaction sa = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    sigset_t set = usr1(), pending;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pthread_t t[6];
    for (int i = 0; i < 5; i++)
        t[i] = spawn(park, NULL);
    for (int i = 0; i < 5; i++)
        sem_wait(&ready);
    // Everybody blocks it.
    CHECK_OK(kill(getpid(), SIGUSR1));
    sleep_ms(3);
    CHECK_EQ(count(), 0);
    CHECK_OK(sigpending(&pending));
    CHECK(sigismember(&pending, SIGUSR1));
    // A sixth thread opens itself for it and gets it.
    t[5] = spawn(park, &stop);
    EVENTUALLY(count() == 1);
    CHECK(pthread_equal(handled_by, t[5]));
    CHECK_OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
    for (int i = 2; i <= 10; i++) {
        CHECK_OK(kill(getpid(), SIGUSR1));
        EVENTUALLY(count() == i);
        CHECK(pthread_equal(handled_by, t[5]));
    }
    // Main unblocks it: a kill of the own process by it is delivered to it before kill returns.
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    for (int i = 11; i <= 20; i++) {
        CHECK_OK(kill(getpid(), SIGUSR1));
        CHECK_EQ(count(), i);
        CHECK(pthread_equal(handled_by, pthread_self()));
    }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 6; i++)
        join_thread(t[i]);
    return 0;
}
