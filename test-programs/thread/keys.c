// Thread-specific data is each thread's own; destructors run once per thread that set a value, also at pthread_exit and cancellation, and not in main's return.
#include "check.h"

enum { THREADS = 100 };
static pthread_key_t key, second, no_destructor;
static int destroyed[THREADS];
static int total;

static void destroy(void *value) {
    CHECK(pthread_getspecific(key) == NULL);
    destroyed[(long)value - 1]++;
    __atomic_add_fetch(&total, 1, __ATOMIC_SEQ_CST);
}

static void destroy_second(void *value) {
    CHECK_EQ((long)value, 4711);
    __atomic_add_fetch(&total, 1, __ATOMIC_SEQ_CST);
}

static void *use(void *arg) {
    long me = (long)arg;
    CHECK(pthread_getspecific(key) == NULL);
    CHECK_RC(pthread_setspecific(key, (void *)me), 0);
    CHECK_RC(pthread_setspecific(second, (void *)4711), 0);
    CHECK_RC(pthread_setspecific(no_destructor, (void *)1), 0);
    for (int i = 0; i < 10; i++) {
        sched_yield();
        CHECK_EQ((long)pthread_getspecific(key), me);
    }
    if (me % 3 == 1)
        pthread_exit(NULL);
    if (me % 3 == 2)
        for (;;)
            pause();
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    CHECK_RC(pthread_key_create(&key, destroy), 0);
    CHECK_RC(pthread_key_create(&second, destroy_second), 0);
    CHECK_RC(pthread_key_create(&no_destructor, NULL), 0);
    CHECK_RC(pthread_setspecific(key, (void *)99999), 0);
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(use, (void *)(i + 1));
    sleep_ms(5);
    for (long i = 0; i < THREADS; i++) {
        if ((i + 1) % 3 == 2) {
            // The thread must have set its values before it is cancelled: it does so before its only cancellation point.
            CHECK_RC(pthread_cancel(threads[i]), 0);
        }
        join_thread(threads[i]);
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(destroyed[i], 1);
    CHECK_EQ(total, 2 * THREADS);
    CHECK_EQ((long)pthread_getspecific(key), 99999);
    CHECK_RC(pthread_key_delete(key), 0);
    return 0;
}
