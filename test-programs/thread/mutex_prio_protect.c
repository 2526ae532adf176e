// Priority-protect mutexes: the owner's priority is at least the ceiling, EINVAL for a priority above it, ceilings read back and change, threads count right.
#include "check.h"

static pthread_mutex_t mutex;
static long counter;

static void set_priority(int priority) {
    struct sched_param param = {.sched_priority = priority};
    int rc = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
    if (rc == EPERM)
        SKIP("no right to real-time priorities");
    CHECK_RC(rc, 0);
}

static void *count(void *arg) {
    for (int i = 0; i < 100; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        long before = counter;
        if (i % 50 == 0)
            sleep_ms(1);
        counter = before + 1;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return arg;
}

int main(void) {
    pthread_mutexattr_t attr;
    int ceiling = 0, old = 0;
    struct sched_param param;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT), 0);
    CHECK_RC(pthread_mutexattr_setprioceiling(&attr, 1000), EINVAL);
    CHECK_RC(pthread_mutexattr_setprioceiling(&attr, 10), 0);
    CHECK_RC(pthread_mutexattr_getprioceiling(&attr, &ceiling), 0);
    CHECK_EQ(ceiling, 10);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
    CHECK_RC(pthread_mutexattr_destroy(&attr), 0);

    set_priority(2);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_OK(sched_getparam(0, &param));
    CHECK_EQ(param.sched_priority, 10);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_OK(sched_getparam(0, &param));
    CHECK_EQ(param.sched_priority, 2);
    CHECK_RC(pthread_mutex_getprioceiling(&mutex, &ceiling), 0);
    CHECK_EQ(ceiling, 10);
    CHECK_RC(pthread_mutex_setprioceiling(&mutex, 12, &old), 0);
    CHECK_EQ(old, 10);
    CHECK_RC(pthread_mutex_getprioceiling(&mutex, &ceiling), 0);
    CHECK_EQ(ceiling, 12);
    set_priority(20);
    CHECK_RC(pthread_mutex_lock(&mutex), EINVAL);
    set_priority(2);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        threads[i] = spawn(count, NULL);
    for (int i = 0; i < 8; i++)
        join_thread(threads[i]);
    CHECK_EQ(counter, 800);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
    return 0;
}
