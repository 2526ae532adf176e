// Thread attributes: what each setter refuses, what is set reads back (also with the old stack address functions), and threads that are made with settings that contradict each other are EINVAL.
#include "check.h"
#include <dlfcn.h>
#include <limits.h>

static void *nothing(void *arg) { return arg; }

static void refused(void) {
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = -1};
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setdetachstate(&attr, 77), EINVAL);
    CHECK_RC(pthread_attr_setinheritsched(&attr, 77), EINVAL);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, 77), EINVAL);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_IDLE), EINVAL);
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), EINVAL);
    CHECK_RC(pthread_attr_setscope(&attr, 77), EINVAL);
    CHECK_RC(pthread_attr_setscope(&attr, PTHREAD_SCOPE_PROCESS), ENOTSUP);
    CHECK_RC(pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN - 1), EINVAL);
    CHECK_RC(pthread_attr_setstack(&attr, &attr, (size_t)PTHREAD_STACK_MIN - 1), EINVAL);
    // More than there is memory for.
    cpu_set_t set;
    CPU_ZERO(&set);
    CHECK_RC(pthread_attr_setaffinity_np(&attr, SIZE_MAX / 2, &set), ENOMEM);
    CHECK_RC(pthread_attr_setaffinity_np(&attr, sizeof set, &set), 0);
    // No processor at all.
    pthread_t thread;
    CHECK_RC(pthread_create(&thread, &attr, nothing, NULL), EINVAL);
    CHECK_RC(pthread_attr_setaffinity_np(&attr, 0, &set), 0);
    CHECK_RC(pthread_create(&thread, &attr, nothing, NULL), 0);
    join_thread(thread);

#ifdef PTHREAD_ATTR_NO_SIGMASK_NP // since glibc 2.32
    sigset_t mask;
    CHECK_RC(pthread_attr_getsigmask_np(&attr, &mask), PTHREAD_ATTR_NO_SIGMASK_NP);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    CHECK_RC(pthread_attr_setsigmask_np(&attr, &mask), 0);
    sigemptyset(&mask);
    CHECK_RC(pthread_attr_getsigmask_np(&attr, &mask), 0);
    CHECK_EQ(sigismember(&mask, SIGUSR2), 1);
    CHECK_RC(pthread_attr_setsigmask_np(&attr, NULL), 0);
    CHECK_RC(pthread_attr_getsigmask_np(&attr, &mask), PTHREAD_ATTR_NO_SIGMASK_NP);
#endif
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

static void contradicting(void) {
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = 5};
    pthread_t thread;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_OTHER), 0);
    CHECK_RC(pthread_create(&thread, &attr, nothing, NULL), EINVAL);
    param.sched_priority = 0;
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_RR), 0);
    CHECK_RC(pthread_create(&thread, &attr, nothing, NULL), EINVAL);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_OTHER), 0);
    // A guard larger than any memory.
    CHECK_RC(pthread_attr_setguardsize(&attr, SIZE_MAX), 0);
    CHECK_RC(pthread_create(&thread, &attr, nothing, NULL), EINVAL);
    CHECK_RC(pthread_attr_setguardsize(&attr, 4096), 0);
    CHECK_RC(pthread_create(&thread, &attr, nothing, NULL), 0);
    join_thread(thread);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

static char memory[1 << 18] __attribute__((aligned(4096)));

static void *inside(void *arg) {
    char here;
    CHECK((uintptr_t)&here >= (uintptr_t)memory && (uintptr_t)&here < (uintptr_t)memory + sizeof memory);
    return arg;
}

// The address is the end from which the stack grows. The linker warns of everybody who names these functions.
static void stack_address(void) {
    int (*set)(pthread_attr_t *, void *) = (int (*)(pthread_attr_t *, void *))dlsym(RTLD_DEFAULT, "pthread_attr_setstackaddr");
    int (*get)(const pthread_attr_t *, void **) =
        (int (*)(const pthread_attr_t *, void **))dlsym(RTLD_DEFAULT, "pthread_attr_getstackaddr");
    CHECK(set != NULL && get != NULL);
    pthread_attr_t attr;
    void *address = memory;
    pthread_t thread;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(set(&attr, memory + sizeof memory), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, sizeof memory), 0);
    CHECK_RC(get(&attr, &address), 0);
    CHECK(address == memory + sizeof memory);
    size_t size = 0;
    CHECK_RC(pthread_attr_getstack(&attr, &address, &size), 0);
    CHECK(address == memory && size == sizeof memory);
    CHECK_RC(pthread_create(&thread, &attr, inside, memory), 0);
    CHECK(join_thread(thread) == memory);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

static void defaults(void) {
    pthread_attr_t attr, before;
    size_t size = 0;
    CHECK_RC(pthread_getattr_default_np(&before), 0);
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstack(&attr, memory, sizeof memory), 0);
    CHECK_RC(pthread_setattr_default_np(&attr), EINVAL);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 1 << 19), 0);
    CHECK_RC(pthread_setattr_default_np(&attr), 0);
    pthread_t thread = spawn(nothing, NULL);
    pthread_attr_t of_thread;
    CHECK_RC(pthread_getattr_np(thread, &of_thread), 0);
    CHECK_RC(pthread_attr_getstacksize(&of_thread, &size), 0);
    CHECK(size <= 1 << 19 && size > 1 << 18);
    join_thread(thread);
    CHECK_RC(pthread_attr_destroy(&of_thread), 0);
    CHECK_RC(pthread_setattr_default_np(&before), 0);
    CHECK_RC(pthread_attr_destroy(&before), 0);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

static void *wait_here(void *arg) {
    pause();
    return arg;
}

int main(void) {
    spawn(wait_here, NULL);
    refused();
    contradicting();
    stack_address();
    defaults();
    return 0;
}
