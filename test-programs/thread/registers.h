// Holds a pattern in all registers that a program has, for a while, without a call.
#ifndef REGISTERS_H
#define REGISTERS_H

#include "check.h"
#include <stddef.h>

struct registers {
    unsigned char vectors[32][64];
    unsigned char x87[8][16];
    uint64_t masks[8];
    uint64_t general[11];
    uint64_t flags;
} __attribute__((aligned(64)));

#define VECTORS_16(op, width)                                                                               \
    op(0, width) op(1, width) op(2, width) op(3, width) op(4, width) op(5, width) op(6, width) op(7, width) \
        op(8, width) op(9, width) op(10, width) op(11, width) op(12, width) op(13, width) op(14, width) op(15, width)
#define VECTORS_32(op, width)                                                                                \
    VECTORS_16(op, width)                                                                                    \
    op(16, width) op(17, width) op(18, width) op(19, width) op(20, width) op(21, width) op(22, width)        \
        op(23, width) op(24, width) op(25, width) op(26, width) op(27, width) op(28, width) op(29, width)    \
            op(30, width) op(31, width)
#define LOAD_xmm(n) "movdqa " #n "*64(%[in]), %%xmm" #n "\n"
#define KEEP_xmm(n) "movdqa %%xmm" #n ", " #n "*64(%[out])\n"
#define LOAD_ymm(n) "vmovdqa " #n "*64(%[in]), %%ymm" #n "\n"
#define KEEP_ymm(n) "vmovdqa %%ymm" #n ", " #n "*64(%[out])\n"
#define LOAD_zmm(n) "vmovdqa64 " #n "*64(%[in]), %%zmm" #n "\n"
#define KEEP_zmm(n) "vmovdqa64 %%zmm" #n ", " #n "*64(%[out])\n"
#define LOAD(n, width) LOAD_##width(n)
#define KEEP(n, width) KEEP_##width(n)
#define MASKS(op) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD_MASK(n) "kmovq %c[masks]+" #n "*8(%[in]), %%k" #n "\n"
#define KEEP_MASK(n) "kmovq %%k" #n ", %c[masks]+" #n "*8(%[out])\n"
#define GENERAL(op) \
    op(0, rax) op(1, rdx) op(2, r8) op(3, r9) op(4, r10) op(5, r11) op(6, r12) op(7, r13) op(8, r14) op(9, r15) op(10, rbx)
#define LOAD_GENERAL(n, name) "movq %c[general]+" #n "*8(%[in]), %%" #name "\n"
#define KEEP_GENERAL(n, name) "movq %%" #name ", %c[general]+" #n "*8(%[out])\n"
#define X87(op) op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7)
#define LOAD_X87(n) "fldt %c[x87]+(7-" #n ")*16(%[in])\n"
#define KEEP_X87(n) "fstpt %c[x87]+" #n "*16(%[out])\n"

// The arithmetic flags are the pattern's as well, and the direction flag is set: nothing in the loop changes them.
#define HOLD(load, keep, ...)                                                                                       \
    __asm__ volatile(X87(LOAD_X87) load                                                                             \
                     "movq %c[flags](%[in]), %%rax\n"                                                               \
                     "sahf\n"                                                                                       \
                     "std\n" GENERAL(LOAD_GENERAL)                                                                  \
                     "movq $0x5a5a5a5a, %[in]\n"                                                                    \
                     "1: leaq -1(%[loops]), %[loops]\n"                                                             \
                     "jrcxz 2f\n"                                                                                   \
                     "jmp 1b\n"                                                                                     \
                     "2: " GENERAL(KEEP_GENERAL)                                                                    \
                     "movl $0, %%eax\n"                                                                             \
                     "lahf\n"                                                                                       \
                     "movq %%rax, %c[flags](%[out])\n"                                                              \
                     "cld\n" keep X87(KEEP_X87)                                                                     \
                     : [in] "+D"(in), [loops] "+c"(loops)                                                           \
                     : [out] "S"(out), [masks] "i"(offsetof(struct registers, masks)),                              \
                       [x87] "i"(offsetof(struct registers, x87)), [general] "i"(offsetof(struct registers, general)), \
                       [flags] "i"(offsetof(struct registers, flags))                                               \
                     : "rax", "rdx", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "st",     \
                       "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1", "xmm2",       \
                       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",  \
                       "xmm14", "xmm15", ##__VA_ARGS__)

CHECK_UNUSED __attribute__((noinline)) static void hold_sse(const struct registers *in, struct registers *out, long loops) {
    HOLD(VECTORS_16(LOAD, xmm), VECTORS_16(KEEP, xmm));
}

CHECK_UNUSED __attribute__((noinline, target("avx"))) static void hold_avx(const struct registers *in, struct registers *out,
                                                                         long loops) {
    HOLD(VECTORS_16(LOAD, ymm), VECTORS_16(KEEP, ymm) "vzeroupper\n");
}

CHECK_UNUSED __attribute__((noinline, target("avx512f,avx512bw"))) static void hold_avx512(const struct registers *in,
                                                                                         struct registers *out, long loops) {
    HOLD(VECTORS_32(LOAD, zmm) MASKS(LOAD_MASK), VECTORS_32(KEEP, zmm) MASKS(KEEP_MASK) "vzeroupper\n", "xmm16", "xmm17",
         "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",
         "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
}

// Holds the pattern for so many rounds of a short loop, in as many registers as the processor has, and looks at it again.
CHECK_UNUSED static void hold_registers(uint64_t pattern, long loops) {
    struct registers in = {0}, out = {0};
    int all = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"), avx = __builtin_cpu_supports("avx");
    for (int i = 0; i < (all ? 32 : 16); i++)
        for (int j = 0; j < (all ? 8 : avx ? 4 : 2); j++)
            ((uint64_t *)in.vectors[i])[j] = pattern *= 6364136223846793005u, pattern += 1442695040888963407u;
    for (int i = 1; all && i < 8; i++)
        in.masks[i] = ~pattern + (uint64_t)i;
    for (int i = 0; i < 11; i++)
        in.general[i] = pattern ^ (uint64_t)i << 32;
    for (int i = 0; i < 8; i++) {
        long double value = (long double)(pattern >> 8) + i;
        memcpy(in.x87[i], &value, 10);
    }
    in.flags = (pattern & 0xd500) | 0x200; // sign, zero, auxiliary, parity, carry in AH; bit 1 of it is always set
    (all ? hold_avx512 : avx ? hold_avx : hold_sse)(&in, &out, loops);
    if (memcmp(&in, &out, sizeof in) != 0)
        for (size_t i = 0; i < sizeof in; i++)
            if (((unsigned char *)&in)[i] != ((unsigned char *)&out)[i])
                CHECK_FAIL("byte %zu of %zu of the registers changed", i, sizeof in);
}

#endif
