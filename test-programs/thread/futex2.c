// The separate calls futex_wait, futex_wake and futex_requeue: results and errors.
#include "futex.h"

enum { WAKE = 454, WAIT = 455, REQUEUE = 456, U32_PRIVATE = 2 | FUTEX_PRIVATE_FLAG };

// The kernel's struct futex_waitv, which older headers lack.
struct wait_on {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
};
static uint32_t a, b;
static int returned;

static long wait2(uint32_t *word, uint32_t val, const struct timespec *deadline, clockid_t clock) {
    return syscall(WAIT, word, (unsigned long)val, (unsigned long)FUTEX_BITSET_MATCH_ANY, U32_PRIVATE, deadline, clock);
}

static long wake2(uint32_t *word, int n) {
    return syscall(WAKE, word, (unsigned long)FUTEX_BITSET_MATCH_ANY, n, U32_PRIVATE);
}

static void *wait_here(void *arg) {
    CHECK_EQ(wait2(&a, 0, NULL, 0), 0);
    __atomic_add_fetch(&returned, 1, __ATOMIC_SEQ_CST);
    return arg;
}

int main(void) {
    if (wake2(&a, 1) == -1 && errno == ENOSYS)
        SKIP("this kernel has no futex_wake");
    CHECK_EQ(wake2(&a, 1), 0);
    CHECK_ERR(wait2(&a, 1, NULL, 0), EAGAIN);
    struct timespec soon = deadline_in(CLOCK_MONOTONIC, 10);
    CHECK_ERR(wait2(&a, 0, &soon, CLOCK_MONOTONIC), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    CHECK_ERR(syscall(WAIT, &a, 0ul, 1ul, 0xff00, NULL, 0), EINVAL);
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        threads[i] = spawn(wait_here, NULL);
    EVENTUALLY(futex_waiters(&a, FUTEX_PRIVATE_FLAG) == 6);
    CHECK_EQ(wake2(&a, 1), 1);
    struct wait_on pair[2] = {{.val = 0, .uaddr = (uintptr_t)&a, .flags = U32_PRIVATE},
                              {.val = 0, .uaddr = (uintptr_t)&b, .flags = U32_PRIVATE}};
    CHECK_EQ(syscall(REQUEUE, pair, 0, 1, 3), 4);
    CHECK_EQ(futex_waiters(&b, FUTEX_PRIVATE_FLAG), 3);
    CHECK_EQ(wake2(&b, INT_MAX), 3);
    CHECK_EQ(wake2(&a, INT_MAX), 1);
    for (int i = 0; i < 6; i++)
        join_thread(threads[i]);
    CHECK_EQ(returned, 6);
    return 0;
}
