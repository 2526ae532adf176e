// A robust mutex whose owner ended (by return, pthread_exit, cancellation) is EOWNERDEAD to the next, usable after pthread_mutex_consistent, ENOTRECOVERABLE without; waiters wake.
#include "check.h"
#include <semaphore.h>

static pthread_mutex_t mutex;
static sem_t locked;

static void make(int protocol) {
    pthread_mutexattr_t attr;
    int got;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_RC(pthread_mutexattr_getrobust(&attr, &got), 0);
    CHECK_EQ(got, PTHREAD_MUTEX_ROBUST);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
    pthread_mutexattr_destroy(&attr);
}

static void *die_holding(void *arg) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    sem_post(&locked);
    sleep_ms(5);
    switch ((long)arg) {
    case 1:
        pthread_exit(NULL);
    case 2:
        for (;;)
            pause();
    }
    return NULL;
}

static void *wait_for_it(void *arg) {
    (void)arg;
    struct timespec later = deadline_in(CLOCK_REALTIME, 30000);
    int rc = pthread_mutex_timedlock(&mutex, &later);
    if (rc == EOWNERDEAD) {
        CHECK_RC(pthread_mutex_consistent(&mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    } else {
        CHECK_RC(rc, 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return (void *)(long)rc;
}

static void *expect_not_recoverable(void *arg) {
    (void)arg;
    return (void *)(long)pthread_mutex_lock(&mutex);
}

static void exercise(int protocol) {
    make(protocol);
    CHECK_RC(pthread_mutex_consistent(&mutex), EINVAL);
    for (long how = 0; how < 3; how++) {
        pthread_t owner = spawn(die_holding, (void *)how);
        CHECK_OK(sem_wait(&locked));
        if (how == 2)
            CHECK_RC(pthread_cancel(owner), 0);
        join_thread(owner);
        CHECK_RC(pthread_mutex_trylock(&mutex), EOWNERDEAD);
        CHECK_RC(pthread_mutex_consistent(&mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    // Waiters: exactly one hears of the death.
    for (long how = 0; how < 3; how++) {
        pthread_t owner = spawn(die_holding, (void *)how), waiters[8];
        CHECK_OK(sem_wait(&locked));
        for (int i = 0; i < 8; i++)
            waiters[i] = spawn(wait_for_it, NULL);
        sleep_ms(2);
        if (how == 2)
            CHECK_RC(pthread_cancel(owner), 0);
        join_thread(owner);
        int dead = 0;
        for (int i = 0; i < 8; i++)
            dead += (long)join_thread(waiters[i]) == EOWNERDEAD;
        CHECK_EQ(dead, 1);
    }
    // Unlocked without being made consistent.
    pthread_t owner = spawn(die_holding, NULL);
    CHECK_OK(sem_wait(&locked));
    join_thread(owner);
    CHECK_RC(pthread_mutex_lock(&mutex), EOWNERDEAD);
    pthread_t waiter = spawn(expect_not_recoverable, NULL);
    sleep_ms(5);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ((long)join_thread(waiter), ENOTRECOVERABLE);
    CHECK_RC(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
    CHECK_RC(pthread_mutex_trylock(&mutex), ENOTRECOVERABLE);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
}

int main(void) {
    CHECK_OK(sem_init(&locked, 0, 0));
    exercise(PTHREAD_PRIO_NONE);
    exercise(PTHREAD_PRIO_INHERIT);
    return 0;
}
