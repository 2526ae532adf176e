// All registers (vectors with masks, x87, general, flags), rounding mode and errno of threads that compute are intact over 5,000 preemptions (a million with GP_FULL=1).
// LIBS: -lm
#include "registers.h"
#include <fenv.h>

enum { THREADS = 5, SIGSETXID = 33 };
static int stop, last;
static long turns;

static void *compute(void *arg) {
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    int me = (int)(long)arg;
    CHECK_EQ(fesetround(modes[me % 4]), 0);
    errno = 1000 + me;
    for (uint64_t round = 1; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); round++) {
        if (__atomic_exchange_n(&last, me, __ATOMIC_SEQ_CST) != me)
            __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
        hold_registers((uint64_t)me << 40 | round, 200);
        CHECK_EQ(errno, 1000 + me);
        CHECK_EQ(fegetround(), modes[me % 4]);
    }
    return arg;
}

// The kernel looks at a thread's CPU time a thousand times a second at most. So another timer sends what it would send at
// the end of half a time slice: two of them end a turn.
static void end_turns_often(void) {
    struct sigevent half = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGSETXID};
    half.sigev_value.sival_ptr = (void *)0x677265656e74696b;
    int timer;
    CHECK_OK(syscall(SYS_timer_create, CLOCK_MONOTONIC, &half, &timer));
    struct itimerspec often = {.it_interval = {0, 30000}, .it_value = {0, 30000}};
    CHECK_OK(syscall(SYS_timer_settime, timer, 0, &often, NULL));
}

int main(void) {
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++)
        t[i] = spawn(compute, (void *)(i + 1));
    if (preloaded())
        end_turns_often();
    // Natively, the kernel ends turns, and seldom.
    for (long most = !preloaded() ? 100 : full_run() ? 1000000 : 5000; __atomic_load_n(&turns, __ATOMIC_SEQ_CST) < most;)
        sleep_ms(1);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    return 0;
}
