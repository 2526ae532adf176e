// FUTEX_WAIT_BITSET and WAKE_BITSET: only waiters whose bits meet are woken, plain wakes meet every bit, an empty set is EINVAL.
#include "futex.h"

static uint32_t word;
static int returned[4];

static void *wait_here(void *arg) {
    long i = (long)arg;
    CHECK_EQ(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << i), 0);
    __atomic_store_n(&returned[i], 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static int back(int i) { return __atomic_load_n(&returned[i], __ATOMIC_SEQ_CST); }

int main(void) {
    pthread_t threads[4];
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    for (long i = 0; i < 4; i++)
        threads[i] = spawn(wait_here, (void *)i);
    EVENTUALLY(futex_waiters(&word, FUTEX_PRIVATE_FLAG) == 4);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 0xf0), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 4), 1);
    EVENTUALLY(back(2));
    CHECK(!back(0) && !back(1) && !back(3));
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 8 | 1), 2);
    EVENTUALLY(back(0) && back(3));
    CHECK(!back(1));
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 1);
    for (int i = 0; i < 4; i++)
        join_thread(threads[i]);
    return 0;
}
