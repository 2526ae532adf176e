// SIGSEGV, SIGBUS, SIGFPE and SIGILL of a thread run the handler in it with the address and code, which may step over the instruction through the ucontext, or map the page.
#include "check.h"
#include <sys/mman.h>
#include <ucontext.h>

static __thread volatile int faults;
static __thread void *volatile fault_address;
static __thread volatile int fault_code, fault_signal;
static __thread char *volatile map_here;

static void on_fault(int sig, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    faults++;
    fault_signal = sig;
    fault_address = info->si_addr;
    fault_code = info->si_code;
    if (map_here != NULL && (char *)info->si_addr >= map_here && (char *)info->si_addr < map_here + 4096) {
        CHECK(mprotect(map_here, 4096, PROT_READ | PROT_WRITE) == 0);
        return;
    }
    // The faulting instruction is followed by a marked way out: rbx holds it.
    uc->uc_mcontext.gregs[REG_RIP] = uc->uc_mcontext.gregs[REG_RBX];
    uc->uc_mcontext.gregs[REG_RAX] = 12345;
}

#define GUARDED(instructions, ...)                                                                          \
    ({                                                                                                      \
        long result_ = 0;                                                                                   \
        __asm__ volatile("lea 1f(%%rip), %%rbx\n" instructions "\n1:\n" : "+a"(result_) : __VA_ARGS__ : "rbx", "rdx", "memory", "cc"); \
        result_;                                                                                            \
    })

static void *run(void *arg) {
    char *no_access = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(no_access != MAP_FAILED);
    int fd = memfd_create("short", 0);
    char *beyond = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(beyond != MAP_FAILED);
    for (int i = 0; i < 50; i++) {
        int before = faults;
        CHECK_EQ(GUARDED("movb (%%rcx), %%al", "c"(no_access + 8)), 12345);
        CHECK_EQ(faults, before + 1);
        CHECK(fault_address == no_access + 8);
        CHECK_EQ(fault_code, SEGV_ACCERR);
        CHECK_EQ(GUARDED("movb (%%rcx), %%al", "c"((char *)16)), 12345);
        CHECK(fault_address == (char *)16);
        CHECK_EQ(fault_code, SEGV_MAPERR);
        CHECK_EQ(GUARDED("movb (%%rcx), %%al", "c"(beyond)), 12345);
        CHECK_EQ(fault_signal, SIGBUS);
        CHECK(fault_address == beyond);
        CHECK_EQ(GUARDED("xor %%edx, %%edx\n idivl %%ecx", "c"(0)), 12345);
        CHECK_EQ(fault_signal, SIGFPE);
        CHECK_EQ(fault_code, FPE_INTDIV);
        CHECK_EQ(GUARDED("ud2", "c"(0)), 12345);
        CHECK_EQ(fault_signal, SIGILL);
        sched_yield();
        map_here = no_access;
        *(volatile char *)(no_access + 100) = 5;
        CHECK_EQ(no_access[100], 5);
        CHECK_EQ(fault_signal, SIGSEGV);
        map_here = NULL;
        CHECK_OK(mprotect(no_access, 4096, PROT_NONE));
        CHECK_EQ(faults, before + 6);
    }
    CHECK_OK(munmap(no_access, 4096));
    CHECK_OK(munmap(beyond, 4096));
    close(fd);
    return arg;
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    for (int i = 0; i < 4; i++)
        CHECK_OK(sigaction(signals[i], &sa, NULL));
    run(NULL);
    pthread_t t[8];
    for (int i = 0; i < 8; i++)
        t[i] = spawn(run, NULL);
    for (int i = 0; i < 8; i++)
        join_thread(t[i]);
    return 0;
}
