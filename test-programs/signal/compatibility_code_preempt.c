// Signals and the ends of time slices interrupt code in a 32-bit segment: the handler runs as 64-bit code and sees the segment, and the code goes on in it.
#include "check.h"
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

enum { CODE32 = 0x23, CODE64 = 0x33, LOW = 256 << 10, TIMES = 5 };
static volatile int seen, turns, stop;
static uint64_t saved_stack, low_stack, low_code;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    ucontext_t *uc = context;
    uint16_t here;
    __asm__("mov %%cs, %0" : "=r"(here));
    if (here != CODE64)
        _exit(3);
    seen += (uc->uc_mcontext.gregs[REG_CSGSFS] & 0xffff) == CODE32;
}

static void *take_turns(void *arg) {
    (void)arg;
    while (!stop) {
        turns++;
        sched_yield();
    }
    return NULL;
}

// Counts %ecx down to nothing in 32-bit code, on a stack that such code can reach, and comes back.
__attribute__((noinline)) static uint32_t count_down(uint32_t from) {
    uint32_t left = from;
    __asm__ volatile("mov %%rsp, %[saved]\n\tmov %[stack], %%rsp\n\t"
                     "lea 1f(%%rip), %%rdx\n\tpush %[segment]\n\tpush %[code]\n\tlretq\n"
                     "1:\n\tmov %[saved], %%rsp"
                     : "+c"(left), [saved] "+m"(saved_stack)
                     : [stack] "m"(low_stack), [segment] "i"(CODE32), [code] "m"(low_code)
                     : "rdx", "rax", "rbx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "memory", "cc");
    return left;
}

static void write_code(unsigned char *at) {
    // dec %ecx; jnz back; ljmp $0x33,$here+11; the rest is 64-bit code: jmp *%rdx
    static const unsigned char code[] = {0x49, 0x75, 0xfd, 0xea, 0, 0, 0, 0, CODE64, 0, 0xff, 0xe2};
    uint32_t back = (uint32_t)(uintptr_t)at + 10;
    memcpy(at, code, sizeof code);
    memcpy(at + 4, &back, sizeof back);
}

int main(void) {
    char *low = mmap(NULL, LOW, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    CHECK(low != MAP_FAILED);
    low_code = (uintptr_t)low;
    low_stack = (uintptr_t)low + LOW;
    write_code((unsigned char *)low);
    pthread_t other = spawn(take_turns, NULL);
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGPROF, &action, NULL));
    sigset_t profiling;
    sigemptyset(&profiling);
    sigaddset(&profiling, SIGPROF);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &profiling, NULL), 0);
    CHECK_OK(setitimer(ITIMER_PROF, &(struct itimerval){{0, 4000}, {0, 4000}}, NULL));
    int before = turns;
    for (int i = 0; i < 2000 && (seen < TIMES || turns < before + TIMES); i++)
        CHECK_EQ(count_down(50000000), 0);
    CHECK_OK(setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL));
    CHECK(seen >= TIMES);
    CHECK(turns >= before + TIMES);
    stop = 1;
    join_thread(other);
    return 0;
}
