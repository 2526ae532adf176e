// Hundreds of threads meet at a barrier again and again, spinning for a moment and then yielding: under greenpatch none of them is taken for one that computes, which would wait for half a slice each time.
#include "check.h"
// check.h declares this one without the macro.
#include "../../shim/include/greenpatch.h"

enum { THREADS = 512, ROUNDS = 100, PAUSES = 32 };
static int arrived, epoch, passed;

static void meet(void) {
    int now = __atomic_load_n(&epoch, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == THREADS) {
        arrived = 0;
        passed++;
        __atomic_add_fetch(&epoch, 1, __ATOMIC_RELEASE);
        return;
    }
    for (int i = 0; __atomic_load_n(&epoch, __ATOMIC_ACQUIRE) == now; i++) {
        if (i < PAUSES)
            __builtin_ia32_pause();
        else
            sched_yield();
    }
}

static void *meet_again(void *arg) {
    for (int i = 0; i < ROUNDS; i++)
        meet();
    return arg;
}

int main(void) {
    pthread_t threads[THREADS];
    int64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(meet_again, NULL);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK_EQ(passed, ROUNDS);
    // It was some 30 ms for each round, and is less than one.
    if (greenpatch_is_patched("thread") == 1)
        CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < ROUNDS * 15000000LL);
    return 0;
}
