// A handler of a fault begins with the stack segment that was interrupted if that is one, and sees it in the context; the program goes on with it.
#include "check.h"
#include <asm/ldt.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile unsigned short in_handler, in_context;

static void on_trap(int sig, siginfo_t *info, void *context) {
    unsigned short now;
    __asm__ volatile("mov %%ss, %0" : "=r"(now));
    (void)sig, (void)info;
    in_handler = now;
    in_context = (unsigned short)((unsigned long long)((ucontext_t *)context)->uc_mcontext.gregs[REG_CSGSFS] >> 48);
}

static void *trap(void *arg) {
    unsigned selector = *(unsigned *)arg, before, after;
    // From mov to ss on, no call is made until the old one is back: each loads the usual segment.
    __asm__ volatile("mov %%ss, %0\n\tmov %2, %%ss\n\tint3\n\tmov %%ss, %1\n\tmov %0, %%ss"
                     : "=&r"(before), "=&r"(after)
                     : "r"(selector)
                     : "memory");
    CHECK_EQ(in_handler, selector);
    CHECK_EQ(in_context, selector);
    CHECK_EQ(after & 0xffff, selector);
    return NULL;
}

int main(void) {
    struct user_desc data = {.entry_number = 6, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
    if (syscall(SYS_modify_ldt, 1, &data, sizeof data) < 0)
        SKIP("no local descriptors");
    unsigned selector = 6 << 3 | 7;
    struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGTRAP, &sa, NULL));
    trap(&selector);
    join_thread(spawn(trap, &selector));
    return 0;
}
