// A system call with a branch right before it and a label right behind, as race-free waits have it: other threads run meanwhile, and a handler that finds itself between the labels takes the call back, so that one signal always ends the wait.
#include "check.h"
#include <ucontext.h>

// guarded_call(given_up, number, a, b, c): -EINTR instead of the call if *given_up.
__asm__(".text\n"
        ".p2align 4\n"
        ".type guarded_call, @function\n"
        "guarded_call:\n"
        ".cfi_startproc\n"
        "mov %rsi, %rax\n mov %rdi, %r9\n mov %rdx, %rdi\n mov %rcx, %rsi\n mov %r8, %rdx\n"
        "guarded_begin:\n"
        "cmpl $0, (%r9)\n"
        "jne 1f\n"
        "syscall\n"
        "guarded_end:\n"
        "ret\n"
        "1: mov $-4, %rax\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size guarded_call, . - guarded_call\n"
        // Functions of other code don't begin right behind it either.
        ".p2align 4\n .skip 16, 0xcc\n");

long guarded_call(const int *given_up, long number, long a, long b, long c);
extern const char guarded_begin[], guarded_end[];

static int ends[2], reading, inside;
static __thread int given_up;

static void give_up(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)info;
    greg_t *rip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    given_up = 1;
    if (*rip >= (greg_t)guarded_begin && *rip < (greg_t)guarded_end) {
        *rip = (greg_t)guarded_begin;
        inside++;
    }
}

static void *read_one(void *arg) {
    given_up = 0;
    __atomic_store_n(&reading, 1, __ATOMIC_SEQ_CST);
    char c;
    (void)arg;
    return (void *)guarded_call(&given_up, SYS_read, ends[0], (long)&c, 1);
}

int main(void) {
    CHECK_OK(pipe(ends));
    // Restarted natively too, if the handler doesn't take it back.
    struct sigaction sa = {.sa_sigaction = give_up, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));

    pthread_t reader = spawn(read_one, NULL);
    EVENTUALLY(__atomic_load_n(&reading, __ATOMIC_SEQ_CST));
    CHECK_ONE_KERNEL_THREAD();
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ((long)join_thread(reader), 1);

    for (int round = 0; round < 100; round++) {
        __atomic_store_n(&reading, 0, __ATOMIC_SEQ_CST);
        reader = spawn(read_one, NULL);
        while (!__atomic_load_n(&reading, __ATOMIC_SEQ_CST))
            sched_yield();
        if (round % 4 == 0)
            usleep(1000);
        CHECK_RC(pthread_kill(reader, SIGUSR1), 0);
        CHECK_EQ((long)join_thread(reader), -EINTR);
    }
    CHECK(inside > 0);
    return 0;
}
