// FUTEX_WAKE wakes equal waiters in the order in which they came.
#include "futex.h"

enum { WAITERS = 12 };
static uint32_t word;
static int order[WAITERS], ended;

static void *wait_here(void *arg) {
    CHECK_EQ(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
    order[ended] = (int)(long)arg;
    __atomic_store_n(&ended, ended + 1, __ATOMIC_SEQ_CST);
    return NULL;
}

int main(void) {
    pthread_t threads[WAITERS];
    for (long i = 0; i < WAITERS; i++) {
        threads[i] = spawn(wait_here, (void *)i);
        EVENTUALLY(futex_waiters(&word, FUTEX_PRIVATE_FLAG) == i + 1);
    }
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
        EVENTUALLY(__atomic_load_n(&ended, __ATOMIC_SEQ_CST) == i + 1);
        CHECK_EQ(order[i], i);
    }
    for (int i = 0; i < WAITERS; i++)
        join_thread(threads[i]);
    return 0;
}
