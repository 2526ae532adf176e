// In a program without any unwind data, calls inlined in the midst of a long text wait while others run, and constants that lie among its code stay as they are.
// LIBS: -fno-asynchronous-unwind-tables -Wl,--no-eh-frame-hdr
#include "check.h"

// Code as long as a big program's, so that nothing near the calls is known.
__asm__(".text\n\t"
        ".rept 30000\n\t"
        "lea 1(%rsi),%rdi\n\t"
        "ret\n\t"
        ".endr\n\t");

static int fds[2];

__attribute__((noinline)) static long inlined_read(int fd, void *buffer, size_t len) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(SYS_read), "D"(fd), "S"(buffer), "d"(len) : "rcx", "r11", "memory");
    return result;
}

// The number comes from elsewhere; only what follows shows that it is a call.
__attribute__((noinline)) static long any_call(long number, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall\n\t"
                     "cmp $-4095, %%rax\n\t"
                     "jae 1f\n\t"
                     "1:"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory", "cc");
    return result;
}

// As compilers write it that keep all on the stack.
long call_by_stack(long number, long a, long b, long c);
__asm__(".text\n"
        "call_by_stack:\n\t"
        "push %rdi\n\t"
        "mov %rsi,%rdi\n\t"
        "mov %rdx,%rsi\n\t"
        "mov (%rsp),%rax\n\t"
        "mov %rcx,%rdx\n\t"
        "mov %rsi,-8(%rsp)\n\t"
        "mov %rdi,-16(%rsp)\n\t"
        "mov -8(%rsp),%rsi\n\t"
        "mov -16(%rsp),%rdi\n\t"
        "syscall\n\t"
        "pop %rdi\n\t"
        "ret\n\t");

// As the tables of ciphers do, these lie between functions.
extern const unsigned char constants[];
__asm__(".text\n\t"
        "ret\n"
        "constants:\n\t"
        ".rept 64\n\t"
        ".byte 0x01, 0x02, 0x0f, 0x05, 0x03, 0x04, 0x48, 0x0f, 0x05\n\t"
        ".endr\n\t"
        ".byte 0\n\t");

static void *reader(void *arg) {
    (void)arg;
    char got[8] = "";
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(inlined_read(fds[0], got, 1), 1);
        CHECK_EQ(got[0], 'a' + i);
        CHECK_EQ(any_call(SYS_read, fds[0], (long)got, 1), 1);
        CHECK_EQ(got[0], 'A' + i);
        CHECK_EQ(call_by_stack(SYS_read, fds[0], (long)got, 1), 1);
        CHECK_EQ(got[0], '0' + i);
    }
    return NULL;
}

int main(void) {
    CHECK_OK(pipe(fds));
    pthread_t thread;
    CHECK_RC(pthread_create(&thread, NULL, reader, NULL), 0);
    for (int i = 0; i < 10; i++) {
        sched_yield();
        char next[3] = {(char)('a' + i), (char)('A' + i), (char)('0' + i)};
        CHECK_EQ(write(fds[1], next, 1), 1);
        sched_yield();
        CHECK_EQ(write(fds[1], next + 1, 1), 1);
        sched_yield();
        CHECK_EQ(write(fds[1], next + 2, 1), 1);
    }
    CHECK_RC(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 64 * 9; i++)
        CHECK_EQ(constants[i], "\x01\x02\x0f\x05\x03\x04\x48\x0f\x05"[i % 9]);
    return 0;
}
