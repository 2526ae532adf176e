// The raw futex system call for the programs that check it exactly.
#ifndef FUTEX_H
#define FUTEX_H

#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>

CHECK_UNUSED static long futex(void *uaddr, int op, uint32_t val, const void *timeout_or_val2, void *uaddr2,
                               uint32_t val3) {
    return syscall(SYS_futex, uaddr, op, val, timeout_or_val2, uaddr2, val3);
}

// How many wait on `uaddr`: a requeue to itself that may wake none counts them. `flag` is FUTEX_PRIVATE_FLAG or 0.
CHECK_UNUSED static long futex_waiters(void *uaddr, int flag) {
    long n = futex(uaddr, FUTEX_REQUEUE | flag, 0, (void *)(long)INT_MAX, uaddr, 0);
    CHECK(n >= 0);
    return n;
}

#endif
