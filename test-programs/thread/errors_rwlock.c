// Read-write locks, barriers and spin locks: EBUSY, EDEADLK of who writes, ETIMEDOUT and EINVAL in every try and timed form; too many readers are EAGAIN.
#include "check.h"

static const struct timespec past = {0, 0}, bad = {1, 1000000000};
static pthread_rwlock_t lock;

static int take(int how, clockid_t clock, const struct timespec *until) {
    switch (how) {
    case 0: return pthread_rwlock_timedrdlock(&lock, until);
    case 1: return pthread_rwlock_timedwrlock(&lock, until);
    case 2: return pthread_rwlock_clockrdlock(&lock, clock, until);
    default: return pthread_rwlock_clockwrlock(&lock, clock, until);
    }
}

static void *find_it_written(void *arg) {
    CHECK_RC(pthread_rwlock_tryrdlock(&lock), EBUSY);
    CHECK_RC(pthread_rwlock_trywrlock(&lock), EBUSY);
    for (int how = 0; how < 4; how++)
        CHECK_RC(take(how, CLOCK_REALTIME, &past), ETIMEDOUT);
    return arg;
}

static void *find_it_read(void *arg) {
    CHECK_RC(pthread_rwlock_trywrlock(&lock), EBUSY);
    CHECK_RC(take(1, CLOCK_REALTIME, &past), ETIMEDOUT);
    CHECK_RC(take(3, CLOCK_MONOTONIC, &past), ETIMEDOUT);
    // Where nobody has to wait, a past time is no error.
    CHECK_RC(take(0, CLOCK_REALTIME, &past), 0);
    CHECK_RC(take(2, CLOCK_MONOTONIC, &past), 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return arg;
}

static void exercise(int kind, int shared) {
    pthread_rwlockattr_t attr;
    CHECK_RC(pthread_rwlockattr_init(&attr), 0);
    CHECK_RC(pthread_rwlockattr_setkind_np(&attr, 77), EINVAL);
    CHECK_RC(pthread_rwlockattr_setpshared(&attr, 77), EINVAL);
    CHECK_RC(pthread_rwlockattr_setkind_np(&attr, kind), 0);
    CHECK_RC(pthread_rwlockattr_setpshared(&attr, shared), 0);
    CHECK_RC(pthread_rwlock_init(&lock, &attr), 0);
    CHECK_RC(pthread_rwlockattr_destroy(&attr), 0);

    struct timespec far = deadline_in(CLOCK_REALTIME, 1000000);
    CHECK_RC(pthread_rwlock_wrlock(&lock), 0);
    join_thread(spawn(find_it_written, NULL));
    CHECK_RC(pthread_rwlock_rdlock(&lock), EDEADLK);
    CHECK_RC(pthread_rwlock_wrlock(&lock), EDEADLK);
    for (int how = 0; how < 4; how++) {
        CHECK_RC(take(how, CLOCK_REALTIME, &far), EDEADLK);
        CHECK_RC(take(how, CLOCK_REALTIME, &bad), EINVAL);
    }
    for (int how = 2; how < 4; how++)
        CHECK_RC(take(how, CLOCK_BOOTTIME, &far), EINVAL);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);

    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    join_thread(spawn(find_it_read, NULL));
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);

    // A quarter of a thousand million readers take a while.
    if (full_run() && kind == PTHREAD_RWLOCK_PREFER_READER_NP && shared == PTHREAD_PROCESS_PRIVATE) {
        long readers = 0;
        while (pthread_rwlock_rdlock(&lock) == 0)
            readers++;
        CHECK_EQ(readers, (1L << 28) - 1);
        CHECK_RC(pthread_rwlock_rdlock(&lock), EAGAIN);
        CHECK_RC(pthread_rwlock_tryrdlock(&lock), EAGAIN);
        CHECK_RC(take(0, CLOCK_REALTIME, &far), EAGAIN);
        CHECK_RC(take(2, CLOCK_REALTIME, &far), EAGAIN);
        while (readers-- > 0)
            CHECK_RC(pthread_rwlock_unlock(&lock), 0);
        CHECK_RC(pthread_rwlock_trywrlock(&lock), 0);
        CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    }
    CHECK_RC(pthread_rwlock_destroy(&lock), 0);
}

static pthread_spinlock_t spin;

static void *find_it_spun(void *arg) {
    CHECK_RC(pthread_spin_trylock(&spin), EBUSY);
    return arg;
}

static void *wait_here(void *arg) {
    pause();
    return arg;
}

int main(void) {
    spawn(wait_here, NULL);
    for (int shared = 0; shared < 2; shared++) {
        exercise(PTHREAD_RWLOCK_PREFER_READER_NP, shared);
        exercise(PTHREAD_RWLOCK_PREFER_WRITER_NP, shared);
        exercise(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, shared);
        CHECK_RC(pthread_spin_init(&spin, shared), 0);
        CHECK_RC(pthread_spin_lock(&spin), 0);
        CHECK_RC(pthread_spin_trylock(&spin), EBUSY);
        join_thread(spawn(find_it_spun, NULL));
        CHECK_RC(pthread_spin_unlock(&spin), 0);
        CHECK_RC(pthread_spin_destroy(&spin), 0);
    }
    pthread_barrierattr_t attr;
    pthread_barrier_t barrier;
    CHECK_RC(pthread_barrierattr_init(&attr), 0);
    CHECK_RC(pthread_barrierattr_setpshared(&attr, 77), EINVAL);
    CHECK_RC(pthread_barrier_init(&barrier, &attr, 0), EINVAL);
    CHECK_RC(pthread_barrier_init(&barrier, &attr, 0x80000000u), EINVAL);
    CHECK_RC(pthread_barrier_init(&barrier, &attr, 1), 0);
    CHECK_EQ(pthread_barrier_wait(&barrier), PTHREAD_BARRIER_SERIAL_THREAD);
    CHECK_RC(pthread_barrier_destroy(&barrier), 0);
    CHECK_RC(pthread_barrierattr_destroy(&attr), 0);
    return 0;
}
