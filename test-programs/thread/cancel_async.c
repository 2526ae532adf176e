// Asynchronous cancellation ends a thread that is parked in a call that is no cancellation point (mutex, barrier, rwlock, raw futex), and one that yields in a loop; handlers run.
#include "check.h"
#include <linux/futex.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static int entered, cleaned;
static uint32_t word;

static void cleanup(void *arg) { *(int *)arg += 1; }

static void in_mutex(void) { pthread_mutex_lock(&mutex); }
static void in_barrier(void) { pthread_barrier_wait(&barrier); }
static void in_rwlock(void) { pthread_rwlock_rdlock(&rwlock); }
static void in_futex(void) { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0); }
static void in_loop(void) {
    for (;;)
        sched_yield();
}

static void *run(void *arg) {
    void (*const *block)(void) = arg;
    int old;
    pthread_cleanup_push(cleanup, &cleaned);
    CHECK_RC(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_DEFERRED);
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    (*block)();
    pthread_cleanup_pop(0);
    CHECK_FAIL("returned");
}

int main(void) {
    void (*blocks[])(void) = {in_mutex, in_barrier, in_rwlock, in_futex, in_loop};
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 2), 0);
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), 0);
    for (int i = 0; i < 5; i++) {
        entered = cleaned = 0;
        pthread_t t = spawn(run, &blocks[i]);
        EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
        sleep_ms(3);
        CHECK_RC(pthread_cancel(t), 0);
        CHECK(join_thread(t) == PTHREAD_CANCELED);
        CHECK_EQ(cleaned, 1);
    }
    return 0;
}
