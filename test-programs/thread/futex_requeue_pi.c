// FUTEX_WAIT_REQUEUE_PI and CMP_REQUEUE_PI: waiters move to a PI futex and return as its owners, one after another; ETIMEDOUT and EAGAIN before that.
#include "futex.h"

enum { WAITERS = 5 };
static uint32_t cond, mutex;
static int owners;

static void *wait_here(void *arg) {
    CHECK_EQ(futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &mutex, 0), 0);
    CHECK_EQ(__atomic_load_n(&mutex, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK, gettid());
    owners++;
    sched_yield();
    CHECK_EQ(futex(&mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return arg;
}

int main(void) {
    cond = 1;
    struct timespec ts = deadline_in(CLOCK_MONOTONIC, 10);
    CHECK_ERR(futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, &ts, &mutex, 0), ETIMEDOUT);
    ts = deadline_in(CLOCK_REALTIME, 10);
    CHECK_ERR(futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE | FUTEX_CLOCK_REALTIME, 1, &ts, &mutex, 0), ETIMEDOUT);
    CHECK_ERR(futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 2, NULL, &mutex, 0), EAGAIN);
    CHECK_ERR(futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 1, NULL, &cond, 0), EINVAL);
    CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &mutex, 2), EAGAIN);
    CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 2, (void *)5, &mutex, 1), EINVAL);

    pthread_t threads[WAITERS];
    CHECK_EQ(futex(&mutex, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    for (int i = 0; i < WAITERS; i++)
        threads[i] = spawn(wait_here, NULL);
    long moved = 0;
    EVENTUALLY((moved += futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)(long)INT_MAX, &mutex, 1)) == WAITERS);
    sleep_ms(5);
    CHECK_EQ(owners, 0);
    CHECK_EQ(futex(&mutex, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    for (int i = 0; i < WAITERS; i++)
        join_thread(threads[i]);
    CHECK_EQ(owners, WAITERS);
    CHECK_EQ(mutex & FUTEX_TID_MASK, 0);
    return 0;
}
