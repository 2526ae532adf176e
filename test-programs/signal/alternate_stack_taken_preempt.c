// A handler returns from an alternate stack that another thread has made read-only meanwhile, and the interrupted code has all of its registers.
#include "check.h"
#include <sys/mman.h>

enum { STACK = 64 << 10, ROUNDS = 20 };
static char *stack;
static volatile int in_handler, taken, ran;

static void handler(int signal) {
    (void)signal;
    ran++;
    in_handler = 1;
    while (!taken) // only reads
        ;
}

static void *take(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        EVENTUALLY(in_handler);
        in_handler = 0;
        CHECK_OK(mprotect(stack, STACK, PROT_READ));
        taken = 1;
        EVENTUALLY(!taken);
    }
    return NULL;
}

int main(void) {
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    CHECK_OK(sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = STACK}, NULL));
    CHECK_OK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler, .sa_flags = SA_ONSTACK}, NULL));
    pthread_t taker = spawn(take, NULL);
    long pid = getpid(), tid = syscall(SYS_gettid);
    for (int i = 0; i < ROUNDS; i++) {
        long result = SYS_tgkill, sent = SIGUSR1;
        double before = i + 0.5, after;
        register long kept __asm__("r12") = i;
        // The call is made here, so that what the compiler keeps in registers is what the handler interrupts.
        __asm__ volatile("movq %[before], %%xmm7\n\tsyscall\n\tmovq %%xmm7, %[after]"
                         : "+a"(result), "+r"(kept), [after] "=r"(after)
                         : "D"(pid), "S"(tid), "d"(sent), [before] "r"(before)
                         : "rcx", "r11", "memory", "xmm7");
        CHECK_EQ(result, 0);
        CHECK_EQ(kept, i);
        CHECK(after == before);
        CHECK_EQ(ran, i + 1);
        stack_t now;
        CHECK_OK(sigaltstack(NULL, &now));
        CHECK_EQ(now.ss_flags, 0);
        CHECK_OK(mprotect(stack, STACK, PROT_READ | PROT_WRITE));
        taken = 0;
    }
    join_thread(taker);
    return 0;
}
