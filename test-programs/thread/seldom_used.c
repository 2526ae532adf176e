// The seldom used functions: concurrency level, pthread_yield, deferring cleanup macros, affinity in attributes, the _np robust names, sched_setparam.
#include "check.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static int cleaned, entered;

static void cleanup(void *arg) { *(int *)arg += 1; }

static void *deferring(void *arg) {
    int old;
    CHECK_RC(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL), 0);
    pthread_cleanup_push_defer_np(cleanup, &cleaned);
    CHECK_RC(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_DEFERRED);
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    if (arg != NULL)
        for (;;)
            pause();
    pthread_cleanup_pop_restore_np(1);
    CHECK_RC(pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_ASYNCHRONOUS);
    return arg;
}

int main(void) {
    CHECK_EQ(pthread_getconcurrency(), 0);
    CHECK_RC(pthread_setconcurrency(-1), EINVAL);
    CHECK_RC(pthread_setconcurrency(5), 0);
    CHECK_EQ(pthread_getconcurrency(), 5);
    CHECK_EQ(pthread_yield(), 0);

    join_thread(spawn(deferring, NULL));
    CHECK_EQ(cleaned, 1);
    entered = 0;
    pthread_t t = spawn(deferring, &entered);
    EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
    CHECK_RC(pthread_cancel(t), 0);
    CHECK(join_thread(t) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 2);

    pthread_attr_t attr;
    cpu_set_t set, got;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_getaffinity_np(&attr, sizeof got, &got), 0);
    CHECK(CPU_COUNT(&got) > 0);
    CHECK_OK(sched_getaffinity(0, sizeof set, &set));
    CHECK_RC(pthread_attr_setaffinity_np(&attr, sizeof set, &set), 0);
    CHECK_RC(pthread_attr_getaffinity_np(&attr, sizeof got, &got), 0);
    CHECK(CPU_EQUAL(&got, &set));
    CHECK_RC(pthread_attr_destroy(&attr), 0);

    pthread_mutexattr_t ma;
    int robust = -1;
    CHECK_RC(pthread_mutexattr_init(&ma), 0);
    CHECK_RC(pthread_mutexattr_setrobust_np(&ma, PTHREAD_MUTEX_ROBUST_NP), 0);
    CHECK_RC(pthread_mutexattr_getrobust_np(&ma, &robust), 0);
    CHECK_EQ(robust, PTHREAD_MUTEX_ROBUST_NP);
    CHECK_RC(pthread_mutexattr_destroy(&ma), 0);

    struct sched_param zero = {.sched_priority = 0}, one = {.sched_priority = 1};
    CHECK_OK(sched_setparam(0, &zero));
    CHECK_ERR(sched_setparam(0, &one), EINVAL);
    CHECK_ERR(sched_setparam(0x3ffffffe, &zero), ESRCH);
    return 0;
}
