// Cancel state and type: a disabled thread sleeps and reads to the end, the pending request acts at the next point once enabled; deferred acts only at points; old values and EINVAL.
#include "check.h"

static int step, cleaned, pipe_ends[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int at(void) { return __atomic_load_n(&step, __ATOMIC_SEQ_CST); }
static void set_step(int s) { __atomic_store_n(&step, s, __ATOMIC_SEQ_CST); }
static void cleanup(void *arg) { *(int *)arg += 1; }

static void *disabled(void *arg) {
    int old;
    pthread_cleanup_push(cleanup, &cleaned);
    CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_ENABLE);
    set_step(1);
    char c = 0;
    CHECK_EQ(read(pipe_ends[0], &c, 1), 1);
    CHECK_EQ(c, 'd');
    CHECK_EQ(at(), 2);
    sleep_ms(2);
    pthread_testcancel();
    CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_DISABLE);
    set_step(3);
    pthread_testcancel();
    set_step(4);
    pthread_cleanup_pop(0);
    return arg;
}

static void *deferred(void *arg) {
    int old;
    CHECK_RC(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_DEFERRED);
    pthread_cleanup_push(cleanup, &cleaned);
    set_step(1);
    // Locks are no cancellation points; neither is sched_yield.
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(at(), 2);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    sched_yield();
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_RC(pthread_rwlock_unlock(&rwlock), 0);
    set_step(3);
    char c;
    (void)!read(pipe_ends[0], &c, 1);
    set_step(4);
    pthread_cleanup_pop(0);
    return arg;
}

int main(void) {
    CHECK_OK(pipe(pipe_ends));
    CHECK_RC(pthread_setcancelstate(99, NULL), EINVAL);
    CHECK_RC(pthread_setcanceltype(99, NULL), EINVAL);
    pthread_t t = spawn(disabled, NULL);
    EVENTUALLY(at() == 1);
    sleep_ms(3);
    CHECK_RC(pthread_cancel(t), 0);
    sleep_ms(3);
    set_step(2);
    CHECK_EQ(write(pipe_ends[1], "d", 1), 1);
    CHECK(join_thread(t) == PTHREAD_CANCELED);
    CHECK_EQ(step, 3);
    CHECK_EQ(cleaned, 1);

    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    set_step(0);
    t = spawn(deferred, NULL);
    EVENTUALLY(at() == 1);
    sleep_ms(3);
    CHECK_RC(pthread_cancel(t), 0);
    sleep_ms(3);
    CHECK_RC(pthread_tryjoin_np(t, NULL), EBUSY);
    set_step(2);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK(join_thread(t) == PTHREAD_CANCELED);
    CHECK_EQ(step, 3);
    CHECK_EQ(cleaned, 2);
    return 0;
}
