// sched_setattr, sched_getattr and SCHED_RESET_ON_FORK of one thread by id: what is set is read back, flags keep what they name, sizes and values that are wrong are refused.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};
enum { RESET_ON_FORK = 1, KEEP_POLICY = 8, KEEP_PARAMS = 16 };

static sem_t ready, hold;
static pid_t tid;

static long set(pid_t thread, void *attr, unsigned flags) { return syscall(SYS_sched_setattr, thread, attr, flags); }

static struct attr get(pid_t thread) {
    struct attr attr;
    memset(&attr, 0xff, sizeof attr);
    CHECK_OK(syscall(SYS_sched_getattr, thread, &attr, sizeof attr, 0));
    return attr;
}

static void *park(void *arg) {
    tid = gettid();
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *is_reset(void *arg) {
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
    CHECK_EQ(errno, 0);
    CHECK_EQ(get(0).flags, 0);
    return arg;
}

static void *resets(void *arg) {
    struct attr attr = {.size = sizeof attr, .policy = SCHED_OTHER, .flags = RESET_ON_FORK, .nice = -5};
    CHECK_OK(set(0, &attr, 0));
    CHECK_EQ(get(0).nice, -5);
    join_thread(spawn(is_reset, NULL));
    CHECK_EQ(get(0).flags, RESET_ON_FORK);
    struct sched_param five = {.sched_priority = 5};
    CHECK_OK(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &five));
    CHECK_EQ(sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
    join_thread(spawn(is_reset, NULL));
    struct sched_param seven = {.sched_priority = 7};
    CHECK_OK(sched_setparam(0, &seven));
    CHECK_EQ(sched_getscheduler(0), SCHED_FIFO | SCHED_RESET_ON_FORK);
    CHECK_EQ(get(0).priority, 7);
    return arg;
}

int main(void) {
    // Whoever starts the tests may do it with another nice value.
    if (setpriority(PRIO_PROCESS, 0, 0) == -1)
        SKIP("the nice value cannot be set to 0");
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));

    struct attr attr = get(tid);
    CHECK_EQ(attr.policy, SCHED_OTHER);
    CHECK_EQ(attr.nice, 0);
    CHECK_EQ(attr.priority, 0);
    CHECK_EQ(attr.flags, 0);
    attr = (struct attr){.size = 48, .policy = SCHED_BATCH, .nice = 7};
    CHECK_OK(set(tid, &attr, 0));
    attr = get(tid);
    CHECK_EQ(attr.policy, SCHED_BATCH);
    CHECK_EQ(attr.nice, 7);
    CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), 7);
    CHECK_EQ(get(0).nice, 0);
    // A short answer and a long one.
    memset(&attr, 0xff, sizeof attr);
    CHECK_OK(syscall(SYS_sched_getattr, tid, &attr, 48, 0));
    CHECK_EQ(attr.size, 48);
    CHECK_EQ(attr.util_max, 0xffffffff);
    char large[200];
    memset(large, 0xff, sizeof large);
    CHECK_OK(syscall(SYS_sched_getattr, tid, large, sizeof large, 0));
    CHECK_EQ(large[199], 0);

    CHECK_ERR(syscall(SYS_sched_getattr, tid, &attr, 47, 0), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getattr, tid, &attr, 48, 1), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getattr, tid, NULL, 48, 0), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getattr, tid, (void *)8, 48, 0), EFAULT);
    CHECK_ERR(syscall(SYS_sched_getattr, -1, &attr, 48, 0), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getattr, 0x3ffffffe, &attr, 48, 0), ESRCH);
    attr = (struct attr){.size = 48, .policy = SCHED_OTHER};
    CHECK_ERR(set(tid, NULL, 0), EINVAL);
    CHECK_ERR(set(tid, (void *)8, 0), EFAULT);
    CHECK_ERR(set(tid, &attr, 1), EINVAL);
    CHECK_ERR(set(-1, &attr, 0), EINVAL);
    CHECK_ERR(set(0x3ffffffe, &attr, 0), ESRCH);
    attr = (struct attr){.size = 20, .policy = SCHED_OTHER};
    CHECK_ERR(set(tid, &attr, 0), E2BIG);
    CHECK(attr.size >= 48);
    memset(large, 0, sizeof large);
    ((struct attr *)large)->size = sizeof large;
    large[199] = 1;
    CHECK_ERR(set(tid, large, 0), E2BIG);
    large[199] = 0;
    ((struct attr *)large)->size = sizeof large;
    ((struct attr *)large)->policy = SCHED_BATCH;
    ((struct attr *)large)->nice = 8;
    CHECK_OK(set(tid, large, 0));
    CHECK_EQ(get(tid).nice, 8);
    attr = (struct attr){.size = 48, .policy = 99};
    CHECK_ERR(set(tid, &attr, 0), EINVAL);
    attr = (struct attr){.size = 48, .policy = SCHED_OTHER, .priority = 1};
    CHECK_ERR(set(tid, &attr, 0), EINVAL);
    attr = (struct attr){.size = 48, .policy = SCHED_FIFO, .priority = 0};
    CHECK_ERR(set(tid, &attr, 0), EINVAL);
    attr = (struct attr){.size = 48, .policy = SCHED_OTHER, .flags = 1ULL << 40};
    CHECK_ERR(set(tid, &attr, 0), EINVAL);
    // Runtime, deadline and period must be in order.
    attr = (struct attr){.size = 48, .policy = 6, .runtime = 20000000, .deadline = 10000000, .period = 30000000};
    CHECK_ERR(set(tid, &attr, 0), EINVAL);

    attr = (struct attr){.size = 48, .policy = SCHED_OTHER, .flags = KEEP_POLICY, .nice = 99};
    CHECK_OK(set(tid, &attr, 0));
    CHECK_EQ(get(tid).policy, SCHED_BATCH);
    CHECK_EQ(get(tid).nice, 19);
    attr = (struct attr){.size = 48, .policy = SCHED_BATCH, .flags = KEEP_POLICY | KEEP_PARAMS, .nice = 1};
    CHECK_OK(set(tid, &attr, 0));
    CHECK_EQ(get(tid).nice, 19);
    CHECK_OK(setpriority(PRIO_PROCESS, (id_t)tid, 100));
    CHECK_EQ(get(tid).nice, 19);

    attr = (struct attr){.size = sizeof attr, .policy = SCHED_RR, .flags = RESET_ON_FORK, .priority = 3};
    long rc = set(tid, &attr, 0);
    if (rc == 0) {
        CHECK_EQ(sched_getscheduler(tid), SCHED_RR | SCHED_RESET_ON_FORK);
        struct timespec slice, fifo;
        CHECK_OK(sched_rr_get_interval(tid, &slice));
        CHECK(slice.tv_sec > 0 || slice.tv_nsec > 0);
        attr.policy = SCHED_FIFO;
        CHECK_OK(set(tid, &attr, 0));
        CHECK_OK(sched_rr_get_interval(tid, &fifo));
        CHECK(fifo.tv_sec == 0 && fifo.tv_nsec == 0);
        CHECK_ERR(sched_rr_get_interval(tid, (void *)8), EFAULT);
        // The nice value waits for the thread's return to SCHED_OTHER.
        CHECK_OK(setpriority(PRIO_PROCESS, (id_t)tid, 4));
        CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), 4);
        CHECK_EQ(get(tid).nice, 0);
        struct sched_param zero = {.sched_priority = 0};
        CHECK_OK(sched_setscheduler(tid, SCHED_OTHER, &zero));
        CHECK_EQ(get(tid).nice, 4);
        join_thread(spawn(resets, NULL));
    }
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    // Natively the thread is still known for a moment.
    EVENTUALLY(sched_getscheduler(tid) == -1 && errno == ESRCH);
    CHECK_ERR(set(tid, &attr, 0), ESRCH);
    if (rc != 0)
        SKIP("no right to real-time priorities; the rest passed");
    return 0;
}
