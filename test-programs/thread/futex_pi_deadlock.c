// A circle of two priority-inheritance futexes is EDEADLK for the one that closes it.
#include "futex.h"

static uint32_t a, b;
static int holds_b;

static void *other(void *arg) {
    CHECK_EQ(futex(&b, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    __atomic_store_n(&holds_b, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(futex(&a, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&a, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&b, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return arg;
}

int main(void) {
    CHECK_EQ(futex(&a, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    pthread_t t = spawn(other, NULL);
    EVENTUALLY(__atomic_load_n(&holds_b, __ATOMIC_SEQ_CST) == 1);
    EVENTUALLY((__atomic_load_n(&a, __ATOMIC_SEQ_CST) & FUTEX_WAITERS) != 0);
    struct timespec ts = deadline_in(CLOCK_REALTIME, 20000);
    // The waiter's chain is complete a little after its bit shows in the word.
    sleep_ms(10);
    CHECK_ERR(futex(&b, FUTEX_LOCK_PI_PRIVATE, 0, &ts, NULL, 0), EDEADLK);
    CHECK_EQ(futex(&a, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    join_thread(t);
    CHECK_EQ(futex(&b, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    return 0;
}
