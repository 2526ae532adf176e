// Every clock reads and tells its resolution in threads as in main, none goes backwards; gettimeofday, time and clock agree with them.
#include "check.h"
#include <sys/time.h>

static void *read_clocks(void *arg) {
    static const clockid_t clocks[] = {CLOCK_REALTIME,       CLOCK_MONOTONIC,        CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE,
                                       CLOCK_BOOTTIME,       CLOCK_TAI};
    for (int i = 0; i < 8; i++) {
        struct timespec resolution;
        CHECK_OK(clock_getres(clocks[i], &resolution));
        CHECK(resolution.tv_sec == 0 && resolution.tv_nsec > 0);
        if (clocks[i] == CLOCK_REALTIME || clocks[i] == CLOCK_TAI)
            continue; // may be set
        int64_t last = 0;
        for (int j = 0; j < 200; j++) {
            int64_t now = now_ns(clocks[i]);
            CHECK(now >= last);
            last = now;
            if (j % 50 == 0)
                sched_yield();
        }
    }
    struct timespec ts;
    CHECK_ERR(clock_gettime(12345, &ts), EINVAL);
    struct timeval tv;
    CHECK_OK(gettimeofday(&tv, NULL));
    int64_t difference = now_ns(CLOCK_REALTIME) / 1000000000 - tv.tv_sec;
    CHECK(difference >= -1 && difference < 30);
    difference = time(NULL) - tv.tv_sec;
    CHECK(difference >= -1 && difference < 30);
    CHECK(clock() >= 0);
    return arg;
}

int main(void) {
    read_clocks(NULL);
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        t[i] = spawn(read_clocks, NULL);
    for (int i = 0; i < 5; i++)
        join_thread(t[i]);
    return 0;
}
