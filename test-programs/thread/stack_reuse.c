// Threads one after another on the same few stacks: each finds thread-local variables, keys, errno, attributes and its guard as new, whatever the last one left.
#include "check.h"
#include <setjmp.h>

enum { AT_ONCE = 40, ROUNDS = 6 };

static __thread char zeros[3000];
static __thread int seven = 7;
static pthread_key_t key;
static pthread_barrier_t barrier;
static __thread sigjmp_buf back;
static __thread void *volatile fault_address;

static void on_fault(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    CHECK_EQ(info->si_code, SEGV_ACCERR);
    fault_address = info->si_addr;
    siglongjmp(back, 1);
}

static __attribute__((noinline)) void dirty_the_stack(void) {
    volatile char block[20000];
    memset((char *)block, 0x5a, sizeof block);
}

static void *body(void *arg) {
    size_t guard = (size_t)arg;
    for (size_t i = 0; i < sizeof zeros; i++)
        CHECK_EQ(zeros[i], 0);
    CHECK_EQ(seven, 7);
    CHECK_EQ(errno, 0);
    CHECK(pthread_getspecific(key) == NULL);
    char alternate[16384];
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
    CHECK_OK(sigaltstack(&ss, &old));
    CHECK_EQ(old.ss_flags, SS_DISABLE);
    pthread_attr_t attr;
    void *addr;
    size_t size, got;
    int state;
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_getstack(&attr, &addr, &size), 0);
    CHECK_RC(pthread_attr_getguardsize(&attr, &got), 0);
    CHECK_RC(pthread_attr_getdetachstate(&attr, &state), 0);
    CHECK_EQ(state, PTHREAD_CREATE_JOINABLE);
    CHECK_EQ(got, (guard + 4095) / 4096 * 4096);
    pthread_attr_destroy(&attr);
    dirty_the_stack();
    pthread_barrier_wait(&barrier);
    if (guard > 0) {
        volatile char *target = (char *)addr - 8;
        if (sigsetjmp(back, 1) == 0) {
            *target = 1;
            CHECK_FAIL("the guard could be written");
        }
        CHECK(fault_address == (void *)target);
    }
    // All of the stack is usable.
    ((volatile char *)addr)[4096] = 1;
    memset(zeros, 0x77, sizeof zeros);
    seven = 8;
    errno = EDOM;
    CHECK_RC(pthread_setspecific(key, zeros), 0);
    ss.ss_flags = SS_DISABLE;
    CHECK_OK(sigaltstack(&ss, NULL));
    return arg;
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
    CHECK_RC(pthread_key_create(&key, NULL), 0);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, AT_ONCE), 0);
    // Not whole pages, none, more than the last time, less again.
    static const size_t guards[ROUNDS] = {4096, 1, 0, 65536, 5000, 4096};
    for (int round = 0; round < ROUNDS; round++) {
        pthread_attr_t attr;
        CHECK_RC(pthread_attr_init(&attr), 0);
        CHECK_RC(pthread_attr_setguardsize(&attr, guards[round]), 0);
        pthread_t threads[AT_ONCE];
        for (int i = 0; i < AT_ONCE; i++)
            CHECK_RC(pthread_create(&threads[i], &attr, body, (void *)guards[round]), 0);
        for (int i = 0; i < AT_ONCE; i++)
            join_thread(threads[i]);
        pthread_attr_destroy(&attr);
    }
    return 0;
}
