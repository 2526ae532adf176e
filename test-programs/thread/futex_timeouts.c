// Futex timeouts: WAIT's is relative, WAIT_BITSET's absolute, on CLOCK_MONOTONIC or CLOCK_REALTIME; ETIMEDOUT never early, EINVAL for bad times, 0 when woken before.
#include "futex.h"

static uint32_t word;

static int64_t in_ns(struct timespec ts) { return ts.tv_sec * 1000000000LL + ts.tv_nsec; }

static void *wake(void *arg) {
    EVENTUALLY(futex_waiters(&word, FUTEX_PRIVATE_FLAG) == 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 1);
    return arg;
}

int main(void) {
    struct timespec ts;
    int64_t spans[] = {0, 1, 999, 12345678, 20000000};
    for (int i = 0; i < 5; i++) {
        int64_t before = now_ns(CLOCK_MONOTONIC);
        ts = ns_to_timespec(spans[i]);
        CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0), ETIMEDOUT);
        CHECK(now_ns(CLOCK_MONOTONIC) - before >= spans[i]);
        CHECK_EQ(in_ns(ts), spans[i]);
    }
    clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (int i = 0; i < 2; i++) {
        int op = FUTEX_WAIT_BITSET_PRIVATE | (clocks[i] == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0);
        ts = deadline_in(clocks[i], 15);
        CHECK_ERR(futex(&word, op, 0, &ts, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
        CHECK(now_ns(clocks[i]) >= in_ns(ts));
        ts = deadline_in(clocks[i], -15);
        CHECK_ERR(futex(&word, op, 0, &ts, NULL, 1), ETIMEDOUT);
        ts = (struct timespec){0, 0};
        CHECK_ERR(futex(&word, op, 0, &ts, NULL, 1), ETIMEDOUT);
        CHECK_ERR(futex(&word, op, 1, &ts, NULL, 1), EAGAIN);
        pthread_t t = spawn(wake, NULL);
        ts = deadline_in(clocks[i], 60000);
        CHECK_EQ(futex(&word, op, 0, &ts, NULL, 1), 0);
        join_thread(t);
    }
    pthread_t t = spawn(wake, NULL);
    ts = (struct timespec){60, 0};
    CHECK_EQ(futex(&word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0), 0);
    join_thread(t);
    t = spawn(wake, NULL);
    // The longest there is must not overflow into the past.
    ts = (struct timespec){INT64_MAX, 999999999};
    CHECK_EQ(futex(&word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0), 0);
    join_thread(t);

    struct timespec bad[] = {{0, 1000000000}, {0, -1}, {-1, 0}, {-1, 999999999}};
    for (int i = 0; i < 4; i++) {
        CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, &bad[i], NULL, 0), EINVAL);
        CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &bad[i], NULL, 1), EINVAL);
        // The time is looked at before the value.
        CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 1, &bad[i], NULL, 0), EINVAL);
    }
    CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 0, (void *)8, NULL, 0), EFAULT);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, (void *)8, NULL, 1), EFAULT);
    return 0;
}
