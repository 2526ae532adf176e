// Threads that sleep for longer and longer wake in that order, whatever the order of their making and whichever sleep they use.
#include "check.h"

enum { THREADS = 8, GAP_MS = 15 };
static int order[THREADS], woken;
static int64_t start;

static void *sleeps(void *arg) {
    long me = (long)arg;
    struct timespec at = ns_to_timespec(start + (me + 1) * GAP_MS * 1000000LL);
    int64_t span = start + (me + 1) * GAP_MS * 1000000LL - now_ns(CLOCK_MONOTONIC);
    struct timespec left = ns_to_timespec(span > 0 ? span : 0);
    switch (me % 4) {
    case 0:
        CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL), 0);
        break;
    case 1:
        CHECK_OK(nanosleep(&left, NULL));
        break;
    case 2:
        CHECK_OK(usleep((unsigned)(left.tv_sec * 1000000 + left.tv_nsec / 1000)));
        break;
    case 3:
        CHECK_RC(clock_nanosleep(CLOCK_REALTIME, 0, &left, NULL), 0);
    }
    order[__atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST)] = (int)me;
    return NULL;
}

static int in_order(void) {
    static const long making[THREADS] = {5, 0, 7, 3, 1, 6, 2, 4};
    pthread_t t[THREADS];
    woken = 0;
    start = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(sleeps, (void *)making[i]);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_EQ(woken, THREADS);
    for (int i = 0; i < THREADS; i++)
        if (order[i] != i)
            return 0;
    return 1;
}

int main(void) {
    // A busy machine may hold a woken thread up for longer than the gap: one round of twenty must do.
    for (int attempts = 0; attempts < 20; attempts++)
        if (in_order())
            return 0;
    CHECK_FAIL("never in order");
}
