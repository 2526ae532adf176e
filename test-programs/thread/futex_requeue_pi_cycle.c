// FUTEX_CMP_REQUEUE_PI refuses with EDEADLK to move a waiter to a lock whose owner waits, over other locks, for that waiter; the waiter stays where it was.
#include "futex.h"

static uint32_t cond, first, second;
static int owns_first, owns_second;

static void *wait_with_first(void *arg) {
    CHECK_EQ(futex(&first, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    __atomic_store_n(&owns_first, 1, __ATOMIC_SEQ_CST);
    // Waits until the process ends.
    futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &second, 0);
    CHECK(!"woken");
    return arg;
}

static void *own_second_want_first(void *arg) {
    CHECK_EQ(futex(&second, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0);
    __atomic_store_n(&owns_second, 1, __ATOMIC_SEQ_CST);
    futex(&first, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    CHECK(!"got the lock");
    return arg;
}

int main(void) {
    spawn(wait_with_first, NULL);
    EVENTUALLY(__atomic_load_n(&owns_first, __ATOMIC_SEQ_CST));
    spawn(own_second_want_first, NULL);
    EVENTUALLY(__atomic_load_n(&owns_second, __ATOMIC_SEQ_CST));
    EVENTUALLY(__atomic_load_n(&first, __ATOMIC_SEQ_CST) & FUTEX_WAITERS);
    sleep_ms(5);
    long result;
    // 0 as long as nobody waits on `cond` yet.
    EVENTUALLY((result = futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &second, 0)) != 0);
    CHECK_EQ(result, -1);
    CHECK_EQ(errno, EDEADLK);
    CHECK_ERR(futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)5, &second, 0), EDEADLK);
    CHECK_ERR(futex(&cond, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    return 0;
}
