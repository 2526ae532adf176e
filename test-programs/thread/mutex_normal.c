// A normal mutex excludes: trylock is EBUSY, timedlock and clocklock are ETIMEDOUT and EINVAL, a waiter gets it at the unlock, relocking one's own deadlocks until the deadline.
#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int step;

static void *other(void *arg) {
    (void)arg;
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    struct timespec past = deadline_in(CLOCK_REALTIME, -5), soon = deadline_in(CLOCK_REALTIME, 10);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &past), ETIMEDOUT);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    soon = deadline_in(CLOCK_MONOTONIC, 10);
    CHECK_RC(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    struct timespec bad = {soon.tv_sec + 100, 1000000000};
    CHECK_RC(pthread_mutex_timedlock(&mutex, &bad), EINVAL);
    bad.tv_nsec = -1;
    CHECK_RC(pthread_mutex_timedlock(&mutex, &bad), EINVAL);
    CHECK_RC(pthread_mutex_clocklock(&mutex, CLOCK_THREAD_CPUTIME_ID, &soon), EINVAL);
    __atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(step, 2);
    step = 3;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

int main(void) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &soon), ETIMEDOUT);
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    CHECK_RC(pthread_mutex_destroy(&mutex), EBUSY);
    pthread_t t = spawn(other, NULL);
    EVENTUALLY(__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 1);
    sleep_ms(5);
    CHECK_EQ(step, 1);
    step = 2;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    join_thread(t);
    CHECK_EQ(step, 3);
    CHECK_RC(pthread_mutex_trylock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
    return 0;
}
