// Priority inheritance: while a thread of high priority waits for a lock, its owner of low priority runs before one of middle priority that computes.
#include "check.h"
#include <semaphore.h>

static pthread_mutex_t lock;
static sem_t locked, start;
static volatile int high_has_it, gave_up;

static void as(int priority) {
    struct sched_param param = {.sched_priority = priority};
    CHECK_RC(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), 0);
}

static void *low(void *arg) {
    as(5);
    CHECK_RC(pthread_mutex_lock(&lock), 0);
    CHECK_OK(sem_post(&locked));
    CHECK_OK(sem_wait(&start));
    volatile unsigned long work = 0;
    while (work < 3000000)
        work++;
    CHECK_RC(pthread_mutex_unlock(&lock), 0);
    return arg;
}

static void *middle(void *arg) {
    as(10);
    int64_t end = now_ns(CLOCK_MONOTONIC) + 20000000000;
    CHECK_OK(sem_post(&start));
    while (!high_has_it) {
        if (now_ns(CLOCK_MONOTONIC) > end) {
            gave_up = 1;
            break;
        }
    }
    return arg;
}

static void *high(void *arg) {
    as(15);
    CHECK_RC(pthread_mutex_lock(&lock), 0);
    high_has_it = 1;
    CHECK_RC(pthread_mutex_unlock(&lock), 0);
    return arg;
}

int main(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    int cpu = sched_getcpu();
    CHECK(cpu >= 0);
    CPU_SET(cpu, &set);
    CHECK_OK(sched_setaffinity(0, sizeof set, &set));
    CHECK_OK(sem_init(&locked, 0, 0));
    CHECK_OK(sem_init(&start, 0, 0));
    struct sched_param param = {.sched_priority = 20};
    int rc = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
    if (rc == EPERM)
        SKIP("no right to real-time priorities");
    CHECK_RC(rc, 0);
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
    CHECK_RC(pthread_mutex_init(&lock, &attr), 0);
    for (int i = 0; i < 5; i++) {
        high_has_it = 0;
        pthread_t l = spawn(low, NULL);
        CHECK_OK(sem_wait(&locked));
        pthread_t h = spawn(high, NULL);
        // It runs as soon as we sleep, and waits for the lock.
        sleep_ms(20);
        pthread_t m = spawn(middle, NULL);
        join_thread(m);
        join_thread(h);
        join_thread(l);
        CHECK(!gave_up);
    }
    return 0;
}
