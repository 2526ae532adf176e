// No sleep returns early: relative and absolute, on CLOCK_REALTIME, MONOTONIC, BOOTTIME, TAI and the process's CPU clock, from nanoseconds to milliseconds; a past time at once.
#include "check.h"

static void *sleeps(void *arg) {
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    static const int64_t spans[] = {0, 1, 500, 50000, 1234567, 7000000};
    for (int c = 0; c < 4; c++)
        for (int s = 0; s < 6; s++) {
            struct timespec ts = ns_to_timespec(spans[s]);
            int64_t before = now_ns(clocks[c]);
            CHECK_RC(clock_nanosleep(clocks[c], 0, &ts, NULL), 0);
            CHECK(now_ns(clocks[c]) - before >= spans[s]);
            CHECK_EQ(ts.tv_sec * 1000000000LL + ts.tv_nsec, spans[s]);
            before = now_ns(clocks[c]);
            ts = ns_to_timespec(before + spans[s]);
            CHECK_RC(clock_nanosleep(clocks[c], TIMER_ABSTIME, &ts, NULL), 0);
            CHECK(now_ns(clocks[c]) >= before + spans[s]);
            ts = ns_to_timespec(1);
            CHECK_RC(clock_nanosleep(clocks[c], TIMER_ABSTIME, &ts, NULL), 0);
        }
    int64_t before = now_ns(CLOCK_MONOTONIC);
    CHECK_OK(usleep(3000));
    CHECK(now_ns(CLOCK_MONOTONIC) - before >= 3000000);
    CHECK_OK(usleep(0));
    CHECK_EQ(sleep(0), 0);
    return arg;
}

static int burn = 1;
static void *burns(void *arg) {
    volatile unsigned long work = 0;
    while (__atomic_load_n(&burn, __ATOMIC_SEQ_CST)) {
        for (int i = 0; i < 10000; i++)
            work++;
        sched_yield();
    }
    return arg;
}

int main(void) {
    sleeps(NULL);
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        t[i] = spawn(sleeps, NULL);
    for (int i = 0; i < 5; i++)
        join_thread(t[i]);
    // The CPU clock advances only while somebody computes.
    pthread_t b = spawn(burns, NULL);
    int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    struct timespec ts = {0, 20000000};
    CHECK_RC(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &ts, NULL), 0);
    CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - before >= 20000000);
    __atomic_store_n(&burn, 0, __ATOMIC_SEQ_CST);
    join_thread(b);
    return 0;
}
