// The base of gs is each thread's own, set by arch_prctl or by an instruction, and a new thread begins with its maker's.
#include "check.h"
#include <asm/prctl.h>
#include <semaphore.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

enum { THREADS = 4, ROUNDS = 200 };

static int has_instruction(void) {
    const char *without = getenv("GREENPATCH_NO");
    return getauxval(AT_HWCAP2) & 2 && (without == NULL || strstr(without, "fsgsbase") == NULL);
}

static void set(const void *base) {
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, base));
}

static const void *get(void) {
    const void *base = NULL;
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
    return base;
}

static long at_gs(void) {
    long value;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(value));
    return value;
}

static pthread_barrier_t barrier;

static void *inherits(void *arg) {
    CHECK(get() == arg);
    return NULL;
}

static void *has_its_own(void *arg) {
    long mine = (long)arg + 100;
    CHECK(get() == NULL);
    // The last has none.
    if ((long)arg < THREADS - 1)
        set(&mine);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 50 == 0)
            sleep_ms(1);
        else
            sched_yield();
        if ((long)arg == THREADS - 1) {
            CHECK(get() == NULL);
            continue;
        }
        CHECK_EQ(at_gs(), mine);
        CHECK(get() == &mine);
    }
    if ((long)arg < THREADS - 1)
        join_thread(spawn(inherits, &mine));
    return NULL;
}

static void *uses_the_instruction(void *arg) {
    long both[2] = {(long)arg, -(long)arg};
    for (int i = 0; i < ROUNDS; i++) {
        long *now = &both[i & 1];
        __asm__ volatile("wrgsbase %0" ::"r"(now));
        sched_yield();
        CHECK_EQ(at_gs(), *now);
    }
    return NULL;
}

static void together(void *(*fn)(void *)) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(fn, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}

static void *leaves_it(void *arg) {
    long mine = 5;
    CHECK(get() == arg);
    set(&mine);
    sched_yield();
    CHECK_EQ(at_gs(), 5);
    return NULL;
}

int main(void) {
    // From before there was a second thread.
    long first = 3;
    set(&first);
    pthread_t other = spawn(leaves_it, &first);
    for (int i = 0; i < 3; i++) {
        sched_yield();
        CHECK_EQ(at_gs(), 3);
    }
    join_thread(other);
    CHECK_EQ(at_gs(), 3);
    set(NULL);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    CHECK(get() == NULL);
    together(has_its_own);
    CHECK(get() == NULL);
    if (has_instruction())
        together(uses_the_instruction);
    CHECK(get() == NULL);
    // Children too.
    long mine = 7;
    set(&mine);
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        CHECK_EQ(at_gs(), 7);
        join_thread(spawn(inherits, &mine));
        _exit(0);
    }
    CHECK_EQ(wait_child(child), 0);
    CHECK_EQ(at_gs(), 7);
    return 0;
}
