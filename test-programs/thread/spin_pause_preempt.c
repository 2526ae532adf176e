// Two threads hand over to each other by spinning, as OpenMP's barriers do (pause) and OpenBLAS's (nops): under greenpatch a spinner's turn ends long before its slice.
#include "check.h"
// check.h declares this one without the macro.
#include "../../shim/include/greenpatch.h"

enum { ROUNDS = 500 };
static int turn, by_nops;

static void *hand_over(void *arg) {
    int me = arg != NULL;
    for (int i = 0; i < ROUNDS; i++) {
        while (!by_nops && __atomic_load_n(&turn, __ATOMIC_ACQUIRE) != me)
            __builtin_ia32_pause();
        while (by_nops && __atomic_load_n(&turn, __ATOMIC_ACQUIRE) != me)
            __asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop");
        __atomic_store_n(&turn, !me, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void hand_over_to_another(void) {
    int64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t other = spawn(hand_over, &turn);
    hand_over(NULL);
    join_thread(other);
    CHECK_EQ(turn, 0);
    // A hand-over by the ticks of slices takes five milliseconds.
    if (greenpatch_is_patched("thread") == 1)
        CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < 2 * ROUNDS * 2000000LL);
}

int main(void) {
    hand_over_to_another();
    by_nops = 1;
    hand_over_to_another();
    return 0;
}
