// Read-write locks: shared readers, exclusive writer, try and timed forms on both clocks, EDEADLK, EBUSY, EINVAL; waiting writers and readers proceed.
#include "check.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static int readers_inside;

static void *read_together(void *arg) {
    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    // Only possible if all hold it at once.
    pthread_barrier_wait(&barrier);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return arg;
}

static void *try_while_reading(void *arg) {
    CHECK_RC(pthread_rwlock_tryrdlock(&lock), 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    CHECK_RC(pthread_rwlock_trywrlock(&lock), EBUSY);
    struct timespec soon = deadline_in(CLOCK_REALTIME, 10);
    CHECK_RC(pthread_rwlock_timedwrlock(&lock, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    soon = deadline_in(CLOCK_MONOTONIC, 10);
    CHECK_RC(pthread_rwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    // A writer that gave up leaves no trace.
    CHECK_RC(pthread_rwlock_tryrdlock(&lock), 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return arg;
}

static void *try_while_writing(void *arg) {
    CHECK_RC(pthread_rwlock_tryrdlock(&lock), EBUSY);
    CHECK_RC(pthread_rwlock_trywrlock(&lock), EBUSY);
    struct timespec soon = deadline_in(CLOCK_REALTIME, 5);
    CHECK_RC(pthread_rwlock_timedrdlock(&lock, &soon), ETIMEDOUT);
    CHECK_RC(pthread_rwlock_timedwrlock(&lock, &soon), ETIMEDOUT);
    soon = deadline_in(CLOCK_MONOTONIC, 5);
    CHECK_RC(pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    struct timespec bad = {soon.tv_sec + 1000, 1000000000};
    CHECK_RC(pthread_rwlock_timedrdlock(&lock, &bad), EINVAL);
    CHECK_RC(pthread_rwlock_timedwrlock(&lock, &bad), EINVAL);
    CHECK_RC(pthread_rwlock_clockrdlock(&lock, CLOCK_THREAD_CPUTIME_ID, &soon), EINVAL);
    return arg;
}

static void *wait_read(void *arg) {
    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    __atomic_add_fetch(&readers_inside, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    return arg;
}

static long value;
static void *mixed(void *arg) {
    for (int i = 0; i < 300; i++) {
        if ((i + (long)arg) % 5 == 0) {
            CHECK_RC(pthread_rwlock_wrlock(&lock), 0);
            long before = value;
            if (i % 10 == 0)
                sched_yield();
            value = before + 1;
        } else {
            CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
            long before = value;
            sched_yield();
            CHECK_EQ(value, before);
        }
        CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    }
    return NULL;
}

static void exercise(void) {
    pthread_t threads[20];
    for (int i = 0; i < 20; i++)
        threads[i] = spawn(read_together, NULL);
    for (int i = 0; i < 20; i++)
        join_thread(threads[i]);

    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    CHECK_RC(pthread_rwlock_rdlock(&lock), 0);
    join_thread(spawn(try_while_reading, NULL));
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);

    CHECK_RC(pthread_rwlock_wrlock(&lock), 0);
    CHECK_RC(pthread_rwlock_wrlock(&lock), EDEADLK);
    CHECK_RC(pthread_rwlock_rdlock(&lock), EDEADLK);
    join_thread(spawn(try_while_writing, NULL));
    readers_inside = 0;
    for (int i = 0; i < 20; i++)
        threads[i] = spawn(wait_read, NULL);
    sleep_ms(5);
    CHECK_EQ(readers_inside, 0);
    CHECK_RC(pthread_rwlock_unlock(&lock), 0);
    for (int i = 0; i < 20; i++)
        join_thread(threads[i]);
    CHECK_EQ(readers_inside, 20);

    value = 0;
    for (long i = 0; i < 20; i++)
        threads[i] = spawn(mixed, (void *)i);
    for (int i = 0; i < 20; i++)
        join_thread(threads[i]);
    CHECK_EQ(value, 20 * 60);
}

int main(void) {
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 20), 0);
    exercise();
    CHECK_RC(pthread_rwlock_destroy(&lock), 0);
    int kinds[] = {PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_RWLOCK_PREFER_WRITER_NP,
                   PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
    for (int i = 0; i < 3; i++) {
        pthread_rwlockattr_t attr;
        int got;
        CHECK_RC(pthread_rwlockattr_init(&attr), 0);
        CHECK_RC(pthread_rwlockattr_setkind_np(&attr, 99), EINVAL);
        CHECK_RC(pthread_rwlockattr_setkind_np(&attr, kinds[i]), 0);
        CHECK_RC(pthread_rwlockattr_getkind_np(&attr, &got), 0);
        CHECK_EQ(got, kinds[i]);
        CHECK_RC(pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
        CHECK_RC(pthread_rwlockattr_getpshared(&attr, &got), 0);
        CHECK_EQ(got, PTHREAD_PROCESS_SHARED);
        CHECK_RC(pthread_rwlock_init(&lock, &attr), 0);
        CHECK_RC(pthread_rwlockattr_destroy(&attr), 0);
        exercise();
        CHECK_RC(pthread_rwlock_destroy(&lock), 0);
    }
    return 0;
}
