// Priority-inheritance futexes: LOCK_PI, LOCK_PI2, TRYLOCK_PI, UNLOCK_PI with owner in the word, hand-over to a waiter, EDEADLK, EPERM, EAGAIN, ESRCH, ETIMEDOUT, owner-died bit.
#include "futex.h"

#ifndef FUTEX_LOCK_PI2_PRIVATE
#define FUTEX_LOCK_PI2_PRIVATE (13 | FUTEX_PRIVATE_FLAG)
#endif

static uint32_t word;
static int step;

static uint32_t load(void) { return __atomic_load_n(&word, __ATOMIC_SEQ_CST); }
static long op(int what, const struct timespec *timeout) { return futex(&word, what, 0, timeout, NULL, 0); }
static int64_t in_ns(struct timespec ts) { return ts.tv_sec * 1000000000LL + ts.tv_nsec; }

static void *other(void *arg) {
    uint32_t owner = (uint32_t)(long)arg, me = (uint32_t)gettid();
    CHECK_ERR(op(FUTEX_TRYLOCK_PI_PRIVATE, NULL), EAGAIN);
    CHECK_ERR(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), EPERM);
    struct timespec ts = deadline_in(CLOCK_REALTIME, 10);
    CHECK_ERR(op(FUTEX_LOCK_PI_PRIVATE, &ts), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= in_ns(ts));
    ts = deadline_in(CLOCK_MONOTONIC, 10);
    errno = 0;
    if (op(FUTEX_LOCK_PI2_PRIVATE, &ts) == -1 && errno != ENOSYS) {
        CHECK_EQ(errno, ETIMEDOUT);
        CHECK(now_ns(CLOCK_MONOTONIC) >= in_ns(ts));
        ts = deadline_in(CLOCK_REALTIME, 10);
        CHECK_ERR(op(FUTEX_LOCK_PI2_PRIVATE | FUTEX_CLOCK_REALTIME, &ts), ETIMEDOUT);
        CHECK(now_ns(CLOCK_REALTIME) >= in_ns(ts));
    }
    CHECK_EQ(load() & FUTEX_TID_MASK, owner);
    __atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(op(FUTEX_LOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load() & FUTEX_TID_MASK, me);
    CHECK_EQ(load() & FUTEX_OWNER_DIED, 0);
    CHECK_EQ(step, 2);
    step = 3;
    CHECK_EQ(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load() & FUTEX_TID_MASK, 0);
    return NULL;
}

static void *lock_and_pass(void *arg) {
    CHECK_EQ(op(FUTEX_LOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load() & FUTEX_TID_MASK, gettid());
    sched_yield();
    CHECK_EQ(load() & FUTEX_TID_MASK, gettid());
    CHECK_EQ(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);
    return arg;
}

static void exercise(void) {
    uint32_t me = (uint32_t)gettid();
    word = 0;
    step = 0;
    CHECK_EQ(op(FUTEX_LOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load(), me);
    CHECK_ERR(op(FUTEX_LOCK_PI_PRIVATE, NULL), EDEADLK);
    CHECK_ERR(op(FUTEX_TRYLOCK_PI_PRIVATE, NULL), EDEADLK);
    CHECK_EQ(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load(), 0);
    CHECK_ERR(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), EPERM);
    CHECK_EQ(op(FUTEX_TRYLOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load(), me);
    struct timespec bad = {0, 1000000000};
    CHECK_ERR(op(FUTEX_LOCK_PI_PRIVATE, &bad), EINVAL);

    pthread_t t = spawn(other, (void *)(long)me);
    EVENTUALLY(__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 1);
    EVENTUALLY(load() == (me | FUTEX_WAITERS));
    sleep_ms(5);
    step = 2;
    CHECK_EQ(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);
    join_thread(t);
    CHECK_EQ(step, 3);
    CHECK_EQ(load(), 0);

    // An owner that does not exist.
    word = 0x3ffffffe;
    CHECK_ERR(op(FUTEX_LOCK_PI_PRIVATE, NULL), ESRCH);
    // Dead with the bit set: taken over, and the bit stays for the new owner to see.
    word = FUTEX_OWNER_DIED;
    CHECK_EQ(op(FUTEX_LOCK_PI_PRIVATE, NULL), 0);
    CHECK_EQ(load(), me | FUTEX_OWNER_DIED);
    CHECK_EQ(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);

    word = 0;
    pthread_t threads[20];
    CHECK_EQ(op(FUTEX_LOCK_PI_PRIVATE, NULL), 0);
    for (int i = 0; i < 20; i++)
        threads[i] = spawn(lock_and_pass, NULL);
    sleep_ms(5);
    CHECK_EQ(op(FUTEX_UNLOCK_PI_PRIVATE, NULL), 0);
    for (int i = 0; i < 20; i++)
        join_thread(threads[i]);
    CHECK_EQ(load(), 0);
}

static void *in_thread(void *arg) {
    exercise();
    return arg;
}

int main(void) {
    exercise();
    join_thread(spawn(in_thread, NULL));
    return 0;
}
