// Priority-inheritance mutexes lock, hand over and time out as the plain ones, and know their owner (EDEADLK, EPERM).
#include "check.h"

static pthread_mutex_t mutex;
static int step;

static void make(int protocol, int kind) {
    pthread_mutexattr_t attr;
    int got;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    CHECK_RC(pthread_mutexattr_getprotocol(&attr, &got), 0);
    CHECK_EQ(got, protocol);
    CHECK_RC(pthread_mutexattr_settype(&attr, kind), 0);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
    pthread_mutexattr_destroy(&attr);
}

static void *other(void *arg) {
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    if (arg != NULL)
        CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    struct timespec past = deadline_in(CLOCK_REALTIME, -5), soon = deadline_in(CLOCK_REALTIME, 10);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &past), ETIMEDOUT);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    __atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(step, 2);
    step = 3;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static long counter;
static void *count(void *arg) {
    for (int i = 0; i < 200; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        long before = counter;
        if (i % 8 == 0)
            sched_yield();
        if (i % 100 == 0)
            sleep_ms(1);
        counter = before + 1;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return arg;
}

static void exercise(void *owner_is_known) {
    step = 0;
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    pthread_t t = spawn(other, owner_is_known);
    EVENTUALLY(__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 1);
    sleep_ms(5);
    CHECK_EQ(step, 1);
    step = 2;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    join_thread(t);
    CHECK_EQ(step, 3);
    counter = 0;
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        threads[i] = spawn(count, NULL);
    for (int i = 0; i < 16; i++)
        join_thread(threads[i]);
    CHECK_EQ(counter, 3200);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
}

int main(void) {
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ERRORCHECK);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_lock(&mutex), EDEADLK);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    exercise(&mutex);
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_RECURSIVE);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
    make(PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_NORMAL);
    exercise(NULL);
    return 0;
}
