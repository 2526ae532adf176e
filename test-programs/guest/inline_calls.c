// A task's system call that is inlined between vector code waits by another hub, and all registers but those that the instruction changes are as before.
#include "hub.h"

static int fds[2];
static _Atomic int reads;

__attribute__((target("avx"), noinline)) static void wide(int fd) {
    char got[8] = "";
    unsigned char before[32] __attribute__((aligned(32))), after[32] __attribute__((aligned(32)));
    for (int i = 0; i < 32; i++)
        before[i] = (unsigned char)(i * 7 + 1);
    long result, kept = 0x1122334455667788;
    __asm__ volatile("vmovdqa (%[before]), %%ymm7\n\t"
                     "mov %[kept], %%r9\n\t"
                     "syscall\n\t"
                     "vmovdqa %%ymm7, (%[after])\n\t"
                     "mov %%r9, %[kept]"
                     : "=a"(result), [kept] "+r"(kept)
                     : "0"(SYS_read), "D"(fd), "S"(got), "d"(sizeof got), [before] "r"(before), [after] "r"(after)
                     : "rcx", "r9", "r11", "xmm7", "memory", "cc");
    CHECK_EQ(result, 3);
    CHECK_STR(got, "abc");
    CHECK_EQ(kept, 0x1122334455667788);
    CHECK(memcmp(before, after, sizeof before) == 0);
}

static void reader(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        wide(fds[0]);
        reads++;
    }
}

// Uses the vector registers meanwhile.
static void writer(void *arg) {
    (void)arg;
    static volatile double sum;
    for (int i = 0; i < 20; i++) {
        hub_pause();
        for (int j = 0; j < 1000; j++)
            sum += j * 0.5;
        char noise[256];
        memset(noise, i, sizeof noise);
        CHECK_EQ(noise[17], i);
        CHECK_EQ(write(fds[1], "abc", 3), 3);
        // Two writes would be one read.
        while (reads <= i)
            hub_pause();
    }
}

int main(void) {
    if (!__builtin_cpu_supports("avx"))
        SKIP("needs AVX");
    hub_init();
    CHECK_OK(pipe(fds));
    hub_spawn(reader, NULL);
    hub_spawn(writer, NULL);
    hub_run();
    CHECK(!hub_is_guest || hub_waits > 20);
    printf("%d waits\n", hub_waits);
}
