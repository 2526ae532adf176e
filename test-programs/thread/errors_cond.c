// Condition waits, plain and timed on both clocks: a robust mutex whose owner died meanwhile is EOWNERDEAD, one given up ENOTRECOVERABLE, one of another thread EPERM, a bad time EINVAL and a past one ETIMEDOUT.
#include "check.h"

static const struct timespec past = {0, 0}, bad = {1, -1};
static struct timespec far;
static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int waiting;

static void make(int kind, int protocol, int robust) {
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_settype(&attr, kind), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, robust), 0);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
    CHECK_RC(pthread_mutexattr_destroy(&attr), 0);
}

static int wait_as(int how, const struct timespec *until) {
    switch (how) {
    case 0: return pthread_cond_wait(&cond, &mutex);
    case 1: return pthread_cond_timedwait(&cond, &mutex, until);
    default: return pthread_cond_clockwait(&cond, &mutex, CLOCK_REALTIME, until);
    }
}

static void *wait_for_it(void *arg) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    waiting = 1;
    int rc;
    while ((rc = wait_as((int)(long)arg, &far)) == 0 && waiting == 1) {
    }
    // The mutex is held, and made good or not as the caller asks.
    if (rc == EOWNERDEAD)
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return (void *)(long)rc;
}

static void *signal_and_die(void *arg) {
    int ready = 0;
    while (!ready) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        if (!(ready = waiting)) {
            CHECK_RC(pthread_mutex_unlock(&mutex), 0);
            sleep_ms(1);
        }
    }
    waiting = 2;
    CHECK_RC(pthread_cond_broadcast(&cond), 0);
    return arg;
}

static void owner_dies(int how, int protocol) {
    make(PTHREAD_MUTEX_NORMAL, protocol, PTHREAD_MUTEX_ROBUST);
    waiting = 0;
    pthread_t waiter = spawn(wait_for_it, (void *)(long)how);
    join_thread(spawn(signal_and_die, NULL));
    CHECK_EQ((long)join_thread(waiter), EOWNERDEAD);
    // The waiter gave it back without making it good.
    CHECK_RC(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
}


static void *own(void *arg) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    return arg;
}

static void *begin_to_wait(void *arg) {
    int rc = pthread_mutex_lock(&mutex);
    CHECK_RC(rc, EOWNERDEAD);
    waiting = 1;
    // Waiting gives the mutex back as it is: nobody can have it again.
    return (void *)(long)wait_as((int)(long)arg, &far);
}

static void not_recoverable(int how) {
    make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
    waiting = 0;
    join_thread(spawn(own, NULL));
    pthread_t waiter = spawn(begin_to_wait, (void *)(long)how);
    EVENTUALLY(__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == 1);
    CHECK_RC(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
    CHECK_RC(pthread_cond_broadcast(&cond), 0);
    CHECK_EQ((long)join_thread(waiter), ENOTRECOVERABLE);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
}

static void *wait_without(void *arg) {
    for (int how = 0; how < 3; how++)
        CHECK_RC(wait_as(how, &far), EPERM);
    return arg;
}

int main(void) {
    far = deadline_in(CLOCK_REALTIME, 1000000);
    for (int how = 0; how < 3; how++) {
        owner_dies(how, PTHREAD_PRIO_NONE);
        owner_dies(how, PTHREAD_PRIO_INHERIT);
        not_recoverable(how);
    }
    int kinds[] = {PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE};
    for (int i = 0; i < 2; i++) {
        make(kinds[i], PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        join_thread(spawn(wait_without, NULL));
        for (int how = 1; how < 3; how++) {
            CHECK_RC(wait_as(how, &bad), EINVAL);
            CHECK_RC(wait_as(how, &past), ETIMEDOUT);
        }
        CHECK_RC(pthread_cond_clockwait(&cond, &mutex, CLOCK_PROCESS_CPUTIME_ID, &far), EINVAL);
        CHECK_RC(pthread_cond_clockwait(&cond, &mutex, 77, &far), EINVAL);
        // Every failed wait has left the mutex with its owner.
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
        CHECK_RC(pthread_mutex_destroy(&mutex), 0);
    }
    pthread_condattr_t attr;
    clockid_t clock;
    CHECK_RC(pthread_condattr_init(&attr), 0);
    CHECK_RC(pthread_condattr_setclock(&attr, 77), EINVAL);
    CHECK_RC(pthread_condattr_setclock(&attr, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
    CHECK_RC(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
    CHECK_RC(pthread_condattr_getclock(&attr, &clock), 0);
    CHECK_EQ(clock, CLOCK_MONOTONIC);
    CHECK_RC(pthread_condattr_setpshared(&attr, 77), EINVAL);
    CHECK_RC(pthread_condattr_destroy(&attr), 0);
    CHECK_RC(pthread_cond_destroy(&cond), 0);
    return 0;
}
