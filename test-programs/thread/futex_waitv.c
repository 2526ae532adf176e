// futex_waitv: the index of the word that was woken, EAGAIN, ETIMEDOUT on both clocks, EINVAL; with one and with 128 words.
#include "futex.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

// The kernel's struct, which older headers lack.
struct wait_on {
    uint64_t val, uaddr;
    uint32_t flags, reserved;
};
enum { U32_PRIVATE = 2 | FUTEX_PRIVATE_FLAG, MOST = 128 };

static uint32_t words[MOST + 1];
static struct wait_on on[MOST + 1];

static long waitv(unsigned n, const struct timespec *deadline, clockid_t clock) {
    return syscall(SYS_futex_waitv, on, n, 0, deadline, clock);
}

static void *wake(void *arg) {
    uint32_t *word = arg;
    EVENTUALLY(futex(word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1);
    return NULL;
}

int main(void) {
    for (int i = 0; i <= MOST; i++)
        on[i] = (struct wait_on){.val = 0, .uaddr = (uintptr_t)&words[i], .flags = U32_PRIVATE};
    struct timespec past = {0, 0};
    if (waitv(1, &past, CLOCK_MONOTONIC) == -1 && errno == ENOSYS)
        SKIP("this kernel has no futex_waitv");
    CHECK_ERR(waitv(1, &past, CLOCK_MONOTONIC), ETIMEDOUT);
    CHECK_ERR(waitv(0, NULL, 0), EINVAL);
    CHECK_ERR(waitv(MOST + 1, NULL, 0), EINVAL);
    clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (int i = 0; i < 2; i++) {
        struct timespec soon = deadline_in(clocks[i], 10);
        CHECK_ERR(waitv(MOST, &soon, clocks[i]), ETIMEDOUT);
        CHECK(now_ns(clocks[i]) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    }
    CHECK_ERR(waitv(1, &past, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
    on[3].val = 1;
    CHECK_ERR(waitv(MOST, NULL, 0), EAGAIN);
    on[3].val = 0;
    on[3].flags = 0;
    CHECK_ERR(waitv(MOST, NULL, 0), EINVAL);
    on[3].flags = U32_PRIVATE;
    on[3].uaddr = 0;
    CHECK_ERR(waitv(MOST, NULL, 0), EFAULT);
    on[3].uaddr = (uintptr_t)&words[3];

    int which[] = {0, 1, 77, MOST - 1};
    for (int i = 0; i < 4; i++) {
        pthread_t t = spawn(wake, &words[which[i]]);
        CHECK_EQ(waitv(MOST, NULL, 0), which[i]);
        join_thread(t);
        // Nothing is left waiting on the others.
        for (int j = 0; j < MOST; j++)
            CHECK_EQ(futex(&words[j], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
    }
    return 0;
}
