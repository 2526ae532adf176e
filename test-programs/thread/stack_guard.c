// The guard below a thread's stack is inaccessible and its size is as asked; a write there is a SIGSEGV with that address.
#include "check.h"
#include <setjmp.h>

static sigjmp_buf back;
static void *volatile fault_address;

static void on_fault(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    fault_address = info->si_addr;
    siglongjmp(back, 1);
}

static void *touch_guard(void *arg) {
    static char alternate[65536];
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK_OK(sigaltstack(&ss, NULL));
    pthread_attr_t attr;
    void *addr;
    size_t size, guard;
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_getstack(&attr, &addr, &size), 0);
    CHECK_RC(pthread_attr_getguardsize(&attr, &guard), 0);
    pthread_attr_destroy(&attr);
    CHECK_EQ(guard, (long)arg);
    // glibc counts the guard into the stack's size: the first bytes of `addr` are usable or guard by version.
    char *local = (char *)&attr;
    CHECK(local > (char *)addr && local < (char *)addr + size);
    volatile char *target = (char *)addr - 64;
    if (sigsetjmp(back, 1) == 0) {
        *target = 1;
        CHECK_FAIL("the guard could be written");
    }
    CHECK(fault_address == (void *)target);
    return NULL;
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
    long sizes[] = {4096, 16384, 65536};
    for (int i = 0; i < 3; i++) {
        pthread_attr_t attr;
        CHECK_RC(pthread_attr_init(&attr), 0);
        CHECK_RC(pthread_attr_setguardsize(&attr, sizes[i]), 0);
        pthread_t t;
        CHECK_RC(pthread_create(&t, &attr, touch_guard, (void *)sizes[i]), 0);
        join_thread(t);
        pthread_attr_destroy(&attr);
    }
    return 0;
}
