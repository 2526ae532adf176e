// Threads that compute keep those that wait for a time or a descriptor waiting for far less than a time slice.
#include "thread/computes.h"
#include <sys/timerfd.h>

enum { COMPUTING = 2, WAITS = 100 };

static double used(void) {
    struct timespec now;
    CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// All of that is the others', who have the processor meanwhile: a slice for each wait would be ten times the time waited.
static void check_used(double since, const char *what) {
    double ms = (used() - since) * 1e3;
    if (preloaded() && ms > 4 * WAITS)
        CHECK_FAIL("the others have computed for %.0f ms while this one waited %d times for %s of 1 ms", ms, WAITS, what);
}

int main(void) {
    pthread_t threads[COMPUTING];
    make_computing(threads, COMPUTING);
    // Each has used up a slice.
    while (started < COMPUTING || used() < 0.05)
        CHECK_OK(usleep(1000));
    double since = used();
    for (int i = 0; i < WAITS; i++)
        CHECK_OK(usleep(1000));
    check_used(since, "a time");
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    CHECK_OK(timer);
    since = used();
    for (int i = 0; i < WAITS; i++) {
        struct itimerspec once = {.it_value = {.tv_nsec = 1000000}};
        uint64_t expired;
        CHECK_OK(timerfd_settime(timer, 0, &once, NULL));
        CHECK_EQ(read(timer, &expired, sizeof expired), sizeof expired);
    }
    check_used(since, "a descriptor");
    end_computing(threads, COMPUTING);
    return 0;
}
