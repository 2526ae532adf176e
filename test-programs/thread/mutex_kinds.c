// Error-checking, recursive and adaptive mutexes: EDEADLK, EPERM, EBUSY, counted locks, and what another thread sees of them.
#include "check.h"

static pthread_mutex_t mutex;

static void make(int kind) {
    pthread_mutexattr_t attr;
    int got;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_settype(&attr, kind), 0);
    CHECK_RC(pthread_mutexattr_gettype(&attr, &got), 0);
    CHECK_EQ(got, kind);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
    CHECK_RC(pthread_mutexattr_destroy(&attr), 0);
}

static void *expect_busy(void *arg) {
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    if (arg != NULL)
        CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
    return NULL;
}

static void *expect_free(void *arg) {
    (void)arg;
    CHECK_RC(pthread_mutex_trylock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static int counter;
static void *count(void *arg) {
    for (int i = 0; i < 200; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        int before = counter;
        if (i % 16 == 0)
            sched_yield();
        counter = before + 1;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return arg;
}

static void count_together(void) {
    pthread_t threads[10];
    counter = 0;
    for (int i = 0; i < 10; i++)
        threads[i] = spawn(count, NULL);
    for (int i = 0; i < 10; i++)
        join_thread(threads[i]);
    CHECK_EQ(counter, 2000);
}

int main(void) {
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_settype(&attr, 99), EINVAL);
    CHECK_RC(pthread_mutexattr_setpshared(&attr, 99), EINVAL);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, 99), EINVAL);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, 99), EINVAL);

    make(PTHREAD_MUTEX_ERRORCHECK);
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_lock(&mutex), EDEADLK);
    struct timespec later = deadline_in(CLOCK_REALTIME, 10000);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &later), EDEADLK);
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    join_thread(spawn(expect_busy, &mutex));
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    join_thread(spawn(expect_free, NULL));
    count_together();
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);

    make(PTHREAD_MUTEX_RECURSIVE);
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    for (int i = 0; i < 3; i++)
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_trylock(&mutex), 0);
    for (int i = 0; i < 4; i++) {
        join_thread(spawn(expect_busy, &mutex));
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    join_thread(spawn(expect_free, NULL));
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    count_together();
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);

    make(PTHREAD_MUTEX_ADAPTIVE_NP);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    join_thread(spawn(expect_busy, NULL));
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    count_together();
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
    return 0;
}
