// Scheduling policy and priority per thread: set, read, inherited or explicit by attributes; EINVAL, ESRCH; nice values of one thread.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

static sem_t ready, hold;
static pid_t tid;

static void expect(pthread_t t, int policy, int priority) {
    int got;
    struct sched_param param;
    CHECK_RC(pthread_getschedparam(t, &got, &param), 0);
    CHECK_EQ(got, policy);
    CHECK_EQ(param.sched_priority, priority);
}

static void *park(void *arg) {
    tid = gettid();
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *expect_fifo_5(void *arg) {
    expect(pthread_self(), SCHED_FIFO, 5);
    CHECK_EQ(sched_getscheduler(0), SCHED_FIFO);
    struct timespec ts;
    CHECK_OK(sched_rr_get_interval(0, &ts));
    return arg;
}

static void *inherit_fifo(void *arg) {
    struct sched_param param = {.sched_priority = 5};
    CHECK_RC(pthread_setschedparam(pthread_self(), SCHED_FIFO, &param), 0);
    return join_thread(spawn(expect_fifo_5, arg));
}

int main(void) {
    // Whoever starts the tests may do it with another nice value.
    if (setpriority(PRIO_PROCESS, 0, 0) == -1)
        SKIP("the nice value cannot be set to 0");
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_RR), 99);
    CHECK_ERR(sched_get_priority_max(99), EINVAL);
    expect(pthread_self(), SCHED_OTHER, 0);
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));
    expect(t, SCHED_OTHER, 0);
    struct sched_param zero = {.sched_priority = 0}, five = {.sched_priority = 5}, wild = {.sched_priority = 500};
    CHECK_RC(pthread_setschedparam(t, SCHED_OTHER, &five), EINVAL);
    CHECK_RC(pthread_setschedparam(t, SCHED_FIFO, &zero), EINVAL);
    CHECK_RC(pthread_setschedparam(t, SCHED_FIFO, &wild), EINVAL);
    CHECK_RC(pthread_setschedparam(t, 99, &zero), EINVAL);
    CHECK_ERR(sched_setscheduler(0x3ffffffe, SCHED_OTHER, &zero), ESRCH);
    CHECK_ERR(sched_getscheduler(0x3ffffffe), ESRCH);
    CHECK_ERR(sched_getparam(0x3ffffffe, &zero), ESRCH);
    CHECK_ERR(sched_getscheduler(-1), EINVAL);
    CHECK_ERR(sched_setscheduler(tid, SCHED_OTHER, NULL), EINVAL);
    CHECK_RC(pthread_setschedparam(t, SCHED_BATCH, &zero), 0);
    expect(t, SCHED_BATCH, 0);
    expect(pthread_self(), SCHED_OTHER, 0);
    CHECK_EQ(sched_getscheduler(tid), SCHED_BATCH);
    CHECK_OK(sched_setscheduler(tid, SCHED_OTHER, &zero));
    // pthread_getschedparam would still tell what pthread_setschedparam set.
    CHECK_EQ(sched_getscheduler(tid), SCHED_OTHER);

    CHECK_OK(setpriority(PRIO_PROCESS, (id_t)tid, 5));
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), 5);
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    CHECK_EQ(errno, 0);
    CHECK_ERR(getpriority(PRIO_PROCESS, 0x3ffffffe), ESRCH);

    int rc = pthread_setschedparam(t, SCHED_FIFO, &five);
    if (rc == EPERM) {
        CHECK_OK(sem_post(&hold));
        join_thread(t);
        SKIP("no right to real-time priorities; the rest passed");
    }
    CHECK_RC(rc, 0);
    expect(t, SCHED_FIFO, 5);
    CHECK_RC(pthread_setschedprio(t, 7), 0);
    expect(t, SCHED_FIFO, 7);
    CHECK_OK(sched_setscheduler(tid, SCHED_RR, &five));
    CHECK_EQ(sched_getscheduler(tid), SCHED_RR);
    expect(pthread_self(), SCHED_OTHER, 0);
    CHECK_OK(sem_post(&hold));
    join_thread(t);

    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &five), 0);
    CHECK_RC(pthread_create(&t, &attr, expect_fifo_5, NULL), 0);
    join_thread(t);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    join_thread(spawn(inherit_fifo, NULL));
    expect(pthread_self(), SCHED_OTHER, 0);
    return 0;
}
