// A thread that the program makes by a raw clone of its own (no thread pointer, no libc) and libc's threads wake each other by futexes in both directions and lose nothing.
#include "futex.h"

enum { ROUNDS = 2000 };
static uint32_t ping, pong, child_tid;
static int failed;

// Nothing of libc in here: there is no thread pointer.
static long raw(long nr, long a, long b, long c, long d) {
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
}

__attribute__((noinline, optimize("no-stack-protector"))) static int foreign(void *arg) {
    (void)arg;
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        uint32_t seen;
        while ((seen = __atomic_load_n(&ping, __ATOMIC_SEQ_CST)) < i) {
            long rc = raw(SYS_futex, (long)&ping, FUTEX_WAIT_PRIVATE, seen, 0);
            if (rc != 0 && rc != -EAGAIN && rc != -EINTR)
                __atomic_store_n(&failed, (int)-rc, __ATOMIC_SEQ_CST);
        }
        __atomic_store_n(&pong, i, __ATOMIC_SEQ_CST);
        raw(SYS_futex, (long)&pong, FUTEX_WAKE_PRIVATE, INT_MAX, 0);
    }
    raw(SYS_exit, 0, 0, 0, 0);
    return 0;
}

static void *follow(void *arg) {
    uint32_t seen;
    while ((seen = __atomic_load_n(&pong, __ATOMIC_SEQ_CST)) < ROUNDS)
        if (futex(&pong, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0) == -1)
            CHECK(errno == EAGAIN || errno == EINTR);
    return arg;
}

int main(void) {
    static char stack[65536] __attribute__((aligned(16)));
    pthread_t followers[3];
    for (int i = 0; i < 3; i++)
        followers[i] = spawn(follow, NULL);
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID |
                CLONE_PARENT_SETTID;
    child_tid = 1;
    CHECK_OK(clone(foreign, stack + sizeof stack, flags, NULL, &child_tid, NULL, &child_tid));
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        __atomic_store_n(&ping, i, __ATOMIC_SEQ_CST);
        CHECK(futex(&ping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
        uint32_t seen;
        while ((seen = __atomic_load_n(&pong, __ATOMIC_SEQ_CST)) < i)
            if (futex(&pong, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0) == -1)
                CHECK(errno == EAGAIN || errno == EINTR);
    }
    for (int i = 0; i < 3; i++)
        join_thread(followers[i]);
    // The kernel clears the word and wakes at its end.
    EVENTUALLY(__atomic_load_n(&child_tid, __ATOMIC_SEQ_CST) == 0);
    CHECK_EQ(failed, 0);
    return 0;
}
