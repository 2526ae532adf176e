// A system call instruction in the program's own text keeps all general registers but rax, rcx and r11, the vector registers and the carry flag, also when it parks.
#include "check.h"

struct state {
    uint64_t rbx, rdx, rsi, rdi, r8, r9, r10, r12, r13, r14, r15, carry;
    unsigned char xmm[16][16];
};

#define MOVE_XMM(n) "movups %%xmm" #n ", %c[xmm]+16*" #n "(%%rax)\n"
#define LOAD_XMM(n) "movups %c[xmm]+16*" #n "(%%rax), %%xmm" #n "\n"
#define ALL_XMM(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)

// Loads `in`, makes call `number`, stores to `out`. The vector of the arguments is part of `in`.
static __attribute__((noinline)) long call_with(long number, const struct state *in, struct state *out) {
    long result;
    const void *in_register = in;
    void *out_register = out;
    __asm__ volatile(
        "sub $128, %%rsp\n" // out of the red zone, for the pushes
        "push %%rbx\n push %%rbp\n push %[out]\n push %[number]\n"
        "mov %[in], %%rax\n" ALL_XMM(LOAD_XMM)
        "mov %c[rbx](%%rax), %%rbx\n mov %c[rdx](%%rax), %%rdx\n mov %c[rsi](%%rax), %%rsi\n"
        "mov %c[rdi](%%rax), %%rdi\n mov %c[r8](%%rax), %%r8\n mov %c[r9](%%rax), %%r9\n"
        "mov %c[r10](%%rax), %%r10\n mov %c[r12](%%rax), %%r12\n mov %c[r13](%%rax), %%r13\n"
        "mov %c[r14](%%rax), %%r14\n mov %c[r15](%%rax), %%r15\n"
        "pop %%rax\n"
        "stc\n"
        "syscall\n"
        "xchg %%rax, (%%rsp)\n" // result to the stack, out to rax
        "mov %%rbx, %c[rbx](%%rax)\n mov %%rdx, %c[rdx](%%rax)\n mov %%rsi, %c[rsi](%%rax)\n"
        "mov %%rdi, %c[rdi](%%rax)\n mov %%r8, %c[r8](%%rax)\n mov %%r9, %c[r9](%%rax)\n"
        "mov %%r10, %c[r10](%%rax)\n mov %%r12, %c[r12](%%rax)\n mov %%r13, %c[r13](%%rax)\n"
        "mov %%r14, %c[r14](%%rax)\n mov %%r15, %c[r15](%%rax)\n"
        "setc %c[carry](%%rax)\n" ALL_XMM(MOVE_XMM)
        "pop %%rax\n pop %%rbp\n pop %%rbx\n"
        "lea 128(%%rsp), %%rsp\n"
        : "=a"(result), [in] "+c"(in_register), [out] "+D"(out_register), [number] "+S"(number)
        : [rbx] "i"(__builtin_offsetof(struct state, rbx)),
          [rdx] "i"(__builtin_offsetof(struct state, rdx)), [rsi] "i"(__builtin_offsetof(struct state, rsi)),
          [rdi] "i"(__builtin_offsetof(struct state, rdi)), [r8] "i"(__builtin_offsetof(struct state, r8)),
          [r9] "i"(__builtin_offsetof(struct state, r9)), [r10] "i"(__builtin_offsetof(struct state, r10)),
          [r12] "i"(__builtin_offsetof(struct state, r12)), [r13] "i"(__builtin_offsetof(struct state, r13)),
          [r14] "i"(__builtin_offsetof(struct state, r14)), [r15] "i"(__builtin_offsetof(struct state, r15)),
          [carry] "i"(__builtin_offsetof(struct state, carry)), [xmm] "i"(__builtin_offsetof(struct state, xmm))
        : "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
          "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
    return result;
}

static int ends[2];

static void check_call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, long want) {
    struct state in, out;
    memset(&out, 0, sizeof out);
    for (size_t i = 0; i < sizeof in; i++)
        ((unsigned char *)&in)[i] = (unsigned char)(i * 37 + 11 + (size_t)number);
    in.rdi = a;
    in.rsi = b;
    in.rdx = c;
    in.r10 = d;
    in.carry = 1;
    CHECK_EQ(call_with(number, &in, &out), want);
    CHECK_EQ(out.carry & 0xff, 1);
    out.carry = 1;
    CHECK(memcmp(&in, &out, sizeof in) == 0);
}

static void *calls(void *arg) {
    char byte = 0;
    for (int i = 0; i < 20; i++) {
        struct timespec ts = {0, 100000};
        check_call(SYS_sched_yield, 1, 2, 3, 4, 0);
        check_call(SYS_getppid, 1, 2, 3, 4, getppid());
        check_call(SYS_nanosleep, (uintptr_t)&ts, 0, 3, 4, 0);
        check_call(SYS_read, (uint64_t)ends[0], (uintptr_t)&byte, 1, 4, 1);
        check_call(SYS_read, 999999, (uintptr_t)&byte, 1, 4, -EBADF);
    }
    return arg;
}

static void *feed(void *arg) {
    for (int i = 0; i < 40; i++) {
        sleep_ms(1);
        CHECK_EQ(write(ends[1], "x", 1), 1);
    }
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    check_call(SYS_sched_yield, 1, 2, 3, 4, 0);
    pthread_t t[3] = {spawn(calls, NULL), spawn(calls, NULL), spawn(feed, NULL)};
    for (int i = 0; i < 3; i++)
        join_thread(t[i]);
    return 0;
}
