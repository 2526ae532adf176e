// FUTEX_WAIT and FUTEX_WAKE: 0 for the woken, the number woken for the waker (none, some, all), EAGAIN for another value, private and shared.
#include "futex.h"

enum { WAITERS = 20 };
static uint32_t word;
static int flag, returned;

static void *wait_here(void *arg) {
    CHECK_EQ(futex(&word, FUTEX_WAIT | flag, 7, NULL, NULL, 0), 0);
    __atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static int woken(void) { return __atomic_load_n(&returned, __ATOMIC_SEQ_CST); }

static void exercise(void) {
    pthread_t threads[WAITERS];
    returned = 0;
    word = 7;
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, 1, NULL, NULL, 0), 0);
    CHECK_ERR(futex(&word, FUTEX_WAIT | flag, 8, NULL, NULL, 0), EAGAIN);
    struct timespec zero = {0, 0};
    CHECK_ERR(futex(&word, FUTEX_WAIT | flag, 8, &zero, NULL, 0), EAGAIN);
    for (int i = 0; i < WAITERS; i++)
        threads[i] = spawn(wait_here, NULL);
    EVENTUALLY(futex_waiters(&word, flag) == WAITERS);
    CHECK_EQ(woken(), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, 1, NULL, NULL, 0), 1);
    EVENTUALLY(woken() == 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, 5, NULL, NULL, 0), 5);
    EVENTUALLY(woken() == 6);
    sleep_ms(2);
    CHECK_EQ(woken(), 6);
    // A wake of the other kind, of a neighbouring word and through another mapping's address reaches nobody.
    uint32_t other = 7;
    CHECK_EQ(futex(&other, FUTEX_WAKE | flag, 1, NULL, NULL, 0), 0);
    CHECK_EQ(futex_waiters(&word, flag), WAITERS - 6);
    // The kernel wakes one for a count of 0 or less.
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, 0, NULL, NULL, 0), 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, (uint32_t)-1, NULL, NULL, 0), 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, INT_MAX, NULL, NULL, 0), WAITERS - 8);
    for (int i = 0; i < WAITERS; i++)
        join_thread(threads[i]);
    CHECK_EQ(woken(), WAITERS);
    CHECK_EQ(futex(&word, FUTEX_WAKE | flag, INT_MAX, NULL, NULL, 0), 0);
    CHECK_EQ(word, 7);
}

int main(void) {
    flag = FUTEX_PRIVATE_FLAG;
    exercise();
    flag = 0;
    exercise();
    return 0;
}
