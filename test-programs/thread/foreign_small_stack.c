// A thread of the program's own clone3, with its maker's thread pointer and a stack of 1 KiB, makes calls and ends; nothing below its stack is written.
#include "check.h"
#include <linux/futex.h>
#include <linux/sched.h>

enum { BELOW = 8192, STACK = 1024 };
static struct {
    unsigned char below[BELOW];
    unsigned char stack[STACK];
} area __attribute__((aligned(64)));
static volatile int ids[2];

static void *idle(void *arg) {
    (void)arg;
    pause();
    return NULL;
}

static long clone_and_end(struct clone_args *args) {
    long result = SYS_clone3;
    // The child asks for its id, tells it, and ends, all without a word of its stack.
    __asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\t"
                     "mov %[gettid], %%eax\n\tsyscall\n\tmov %%eax, %[told]\n\t"
                     "xor %%edi, %%edi\n\tmov %[exit], %%eax\n\tsyscall\n\thlt\n1:"
                     : "+a"(result), [told] "=m"(ids[1])
                     : "D"(args), "S"(sizeof *args), [gettid] "i"(SYS_gettid), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return result;
}

int main(void) {
    spawn(idle, NULL);
    for (int i = 0; i < 20; i++) {
        memset(&area, 0xa5, sizeof area);
        ids[0] = ids[1] = 1;
        struct clone_args args = {.flags = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_CHILD_CLEARTID,
                                  .child_tid = (uintptr_t)&ids[0],
                                  .stack = (uintptr_t)area.stack,
                                  .stack_size = STACK};
        long tid = clone_and_end(&args);
        if (tid == -ENOSYS)
            SKIP("no clone3");
        CHECK(tid > 0);
        while (ids[0] != 0)
            syscall(SYS_futex, &ids[0], FUTEX_WAIT, 1, NULL);
        CHECK_EQ(ids[1], tid);
        for (int at = 0; at < BELOW; at++)
            CHECK_EQ(area.below[at], 0xa5);
        CHECK(syscall(SYS_gettid) == getpid());
    }
    return 0;
}
