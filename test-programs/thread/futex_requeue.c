// FUTEX_REQUEUE and CMP_REQUEUE: woken and moved are counted, the moved wait on the second word only, EAGAIN for another value; a timed waiter still times out after it was moved.
#include "futex.h"

enum { WAITERS = 10 };
static uint32_t from, to;
static int returned;

static void *wait_here(void *arg) {
    CHECK_EQ(futex(&from, FUTEX_WAIT_PRIVATE, 3, NULL, NULL, 0), 0);
    __atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static void *wait_timed(void *arg) {
    struct timespec ts = {0, 100000000};
    CHECK_ERR(futex(&from, FUTEX_WAIT_PRIVATE, 3, &ts, NULL, 0), ETIMEDOUT);
    return arg;
}

static long waiting(uint32_t *word) { return futex_waiters(word, FUTEX_PRIVATE_FLAG); }
static int woken(void) { return __atomic_load_n(&returned, __ATOMIC_SEQ_CST); }

int main(void) {
    pthread_t threads[WAITERS];
    from = 3;
    CHECK_EQ(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)(long)INT_MAX, &to, 3), 0);
    for (int i = 0; i < WAITERS; i++)
        threads[i] = spawn(wait_here, NULL);
    EVENTUALLY(waiting(&from) == WAITERS);
    CHECK_ERR(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)5, &to, 4), EAGAIN);
    CHECK_EQ(waiting(&from), WAITERS);
    CHECK_EQ(futex(&from, FUTEX_CMP_REQUEUE_PRIVATE, 2, (void *)3, &to, 3), 5);
    EVENTUALLY(woken() == 2);
    CHECK_EQ(waiting(&from), WAITERS - 5);
    CHECK_EQ(waiting(&to), 3);
    CHECK_EQ(futex(&from, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, &to, 0), 2);
    EVENTUALLY(woken() == 3);
    CHECK_EQ(waiting(&from), WAITERS - 7);
    CHECK_EQ(waiting(&to), 4);
    CHECK_EQ(futex(&to, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 4);
    EVENTUALLY(woken() == 7);
    CHECK_EQ(futex(&from, FUTEX_REQUEUE_PRIVATE, 0, (void *)(long)INT_MAX, &to, 0), 3);
    CHECK_EQ(futex(&from, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&to, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 3);
    for (int i = 0; i < WAITERS; i++)
        join_thread(threads[i]);
    CHECK_EQ(woken(), WAITERS);

    pthread_t t = spawn(wait_timed, NULL);
    // It may have timed out before on a very slow machine; then there is nothing to move.
    for (int i = 0; i < 50; i++) {
        if (futex(&from, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &to, 0) == 1)
            break;
        sleep_ms(1);
    }
    join_thread(t);
    CHECK_EQ(waiting(&from), 0);
    CHECK_EQ(waiting(&to), 0);
    return 0;
}
