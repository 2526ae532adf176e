// Two threads hand over to each other by loops that only look, without `pause`, as simple flags and lock-free queues have them: under greenpatch a spinner's turn ends long before its slice.
#include "check.h"
// check.h declares this one without the macro.
#include "../../shim/include/greenpatch.h"

enum { ROUNDS = 500, ROOM = 4, ITEMS = 2000 };
static int turn;

static void *hand_over(void *arg) {
    int me = arg != NULL;
    for (int i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != me)
            ;
        __atomic_store_n(&turn, !me, __ATOMIC_RELEASE);
    }
    return NULL;
}

static int items[ROOM];
static unsigned put, taken;

static __attribute__((noinline)) int try_put(int item) {
    unsigned at = __atomic_load_n(&put, __ATOMIC_RELAXED);
    if (at - __atomic_load_n(&taken, __ATOMIC_ACQUIRE) == ROOM)
        return 0;
    items[at % ROOM] = item;
    __atomic_store_n(&put, at + 1, __ATOMIC_RELEASE);
    return 1;
}

static __attribute__((noinline)) int try_take(int *item) {
    unsigned at = __atomic_load_n(&taken, __ATOMIC_RELAXED);
    if (at == __atomic_load_n(&put, __ATOMIC_ACQUIRE))
        return 0;
    *item = items[at % ROOM];
    __atomic_store_n(&taken, at + 1, __ATOMIC_RELEASE);
    return 1;
}

static void *put_all(void *arg) {
    for (int i = 0; i < ITEMS; i++)
        while (!try_put(i))
            ;
    return arg;
}

static void *take_all(void *arg) {
    for (int i = 0, item; i < ITEMS; i++) {
        while (!try_take(&item))
            ;
        CHECK_EQ(item, i);
    }
    return arg;
}

// `hand_overs` took so much CPU time. By the ticks of slices each takes five milliseconds.
static void check_time(int64_t start, int hand_overs) {
    if (greenpatch_is_patched("thread") == 1)
        CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < hand_overs * 2000000LL);
}

int main(void) {
    int64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    pthread_t other = spawn(hand_over, &turn);
    hand_over(NULL);
    join_thread(other);
    CHECK_EQ(turn, 0);
    check_time(start, 2 * ROUNDS);

    start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    other = spawn(put_all, NULL);
    take_all(NULL);
    join_thread(other);
    check_time(start, 2 * ITEMS / ROOM);
    return 0;
}
