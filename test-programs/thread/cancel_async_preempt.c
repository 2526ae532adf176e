// Asynchronous cancellation ends a thread that computes for ever; deferred cancellation of one that tests in its loop too.
#include "check.h"

static volatile unsigned long work;
static int entered, cleaned;

static void cleanup(void *arg) { *(int *)arg += 1; }

static void *compute(void *arg) {
    pthread_cleanup_push(cleanup, &cleaned);
    if (arg == NULL)
        CHECK_RC(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL), 0);
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    if (arg == NULL)
        for (;;)
            work++;
    for (;;) {
        work++;
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void) {
    for (int i = 0; i < 10; i++) {
        entered = cleaned = 0;
        pthread_t t = spawn(compute, i % 2 ? &entered : NULL);
        EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
        CHECK_RC(pthread_cancel(t), 0);
        CHECK(join_thread(t) == PTHREAD_CANCELED);
        CHECK_EQ(cleaned, 1);
    }
    return 0;
}
