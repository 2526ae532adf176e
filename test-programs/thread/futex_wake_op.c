// FUTEX_WAKE_OP: every operation and comparison with their signed arguments, the shifted argument, and the number woken on both words.
#include "futex.h"

static uint32_t first, second;

static void *wait_first(void *arg) {
    CHECK_EQ(futex(&first, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
    return arg;
}

static void *wait_second(void *arg) {
    CHECK_EQ(futex(&second, FUTEX_WAIT_PRIVATE, 100, NULL, NULL, 0), 0);
    return arg;
}

static long wake_op(uint32_t encoded) {
    return futex(&first, FUTEX_WAKE_OP_PRIVATE, INT_MAX, (void *)(long)INT_MAX, &second, encoded);
}

#define OP(op, arg, cmp, cmparg) ((uint32_t)FUTEX_OP((op), (arg)&0xfff, (cmp), (cmparg)&0xfff))

static uint32_t result(uint32_t old, int op, int arg) {
    second = old;
    CHECK_EQ(wake_op(OP(op, arg, FUTEX_OP_CMP_EQ, 0)), 0);
    return second;
}

// Whether a waiter on the second word was woken for `old cmp cmparg`.
static int compares(uint32_t old, int cmp, int cmparg) {
    second = 100;
    pthread_t t = spawn(wait_second, NULL);
    EVENTUALLY(futex_waiters(&second, FUTEX_PRIVATE_FLAG) == 1);
    second = old;
    long woken = wake_op(OP(FUTEX_OP_SET, 100, cmp, cmparg));
    CHECK_EQ(second, 100);
    CHECK(woken == 0 || woken == 1);
    if (woken == 0)
        CHECK_EQ(futex(&second, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    join_thread(t);
    return (int)woken;
}

int main(void) {
    CHECK_EQ(result(5, FUTEX_OP_SET, 9), 9);
    CHECK_EQ(result(5, FUTEX_OP_SET, -1), 0xffffffff);
    CHECK_EQ(result(5, FUTEX_OP_SET, 0x7ff), 0x7ff);
    CHECK_EQ(result(5, FUTEX_OP_SET, 0x800), 0xfffff800);
    CHECK_EQ(result(5, FUTEX_OP_ADD, 9), 14);
    CHECK_EQ(result(5, FUTEX_OP_ADD, -7), (uint32_t)-2);
    CHECK_EQ(result(0xffffffff, FUTEX_OP_ADD, 1), 0);
    CHECK_EQ(result(5, FUTEX_OP_OR, 0xa), 15);
    CHECK_EQ(result(0xff, FUTEX_OP_ANDN, 0x0f), 0xf0);
    CHECK_EQ(result(0xff, FUTEX_OP_XOR, 0x0f), 0xf0);
    CHECK_EQ(result(1, FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 4), 16);
    CHECK_EQ(result(1, FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31), 0x80000001);
    CHECK_EQ(result(1, FUTEX_OP_ADD | FUTEX_OP_OPARG_SHIFT, 3), 9);

    struct {
        uint32_t old;
        int cmp, arg, want;
    } cases[] = {
        {5, FUTEX_OP_CMP_EQ, 5, 1},  {5, FUTEX_OP_CMP_EQ, 6, 0},  {5, FUTEX_OP_CMP_NE, 6, 1},
        {5, FUTEX_OP_CMP_NE, 5, 0},  {5, FUTEX_OP_CMP_LT, 6, 1},  {5, FUTEX_OP_CMP_LT, 5, 0},
        {5, FUTEX_OP_CMP_LE, 5, 1},  {5, FUTEX_OP_CMP_LE, 4, 0},  {5, FUTEX_OP_CMP_GT, 4, 1},
        {5, FUTEX_OP_CMP_GT, 5, 0},  {5, FUTEX_OP_CMP_GE, 5, 1},  {5, FUTEX_OP_CMP_GE, 6, 0},
        {0xffffffff, FUTEX_OP_CMP_LT, 0, 1}, {0xffffffff, FUTEX_OP_CMP_EQ, -1, 1}, {0, FUTEX_OP_CMP_GT, -1, 1},
        {0xffffffff, FUTEX_OP_CMP_GT, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_EQ(compares(cases[i].old, cases[i].cmp, cases[i].arg), cases[i].want);

    pthread_t threads[7];
    second = 100;
    for (int i = 0; i < 4; i++)
        threads[i] = spawn(wait_first, NULL);
    for (int i = 4; i < 7; i++)
        threads[i] = spawn(wait_second, NULL);
    EVENTUALLY(futex_waiters(&first, FUTEX_PRIVATE_FLAG) == 4 && futex_waiters(&second, FUTEX_PRIVATE_FLAG) == 3);
    CHECK_EQ(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)2, &second, OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 100)), 3);
    CHECK_EQ(second, 101);
    CHECK_EQ(futex(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)2, &second, OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 100)), 1);
    CHECK_EQ(futex_waiters(&first, FUTEX_PRIVATE_FLAG), 2);
    CHECK_EQ(futex_waiters(&second, FUTEX_PRIVATE_FLAG), 1);
    CHECK_EQ(wake_op(OP(FUTEX_OP_SET, 0, FUTEX_OP_CMP_EQ, 102)), 3);
    for (int i = 0; i < 7; i++)
        join_thread(threads[i]);
    return 0;
}
