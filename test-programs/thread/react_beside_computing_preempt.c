// Threads that compute keep those that wait for a time or a descriptor waiting for far less than a time slice.
#include "thread/computes.h"
#include <sys/eventfd.h>
#include <sys/timerfd.h>

enum { COMPUTING = 2, WAITS = 200 };

static double used(void) {
    struct timespec now;
    CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now));
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int question, answer;

static void *answer_all(void *unused) {
    for (int i = 0; i < WAITS; i++) {
        uint64_t one;
        CHECK_EQ(read(question, &one, sizeof one), sizeof one);
        CHECK_EQ(write(answer, &one, sizeof one), sizeof one);
    }
    return unused;
}

// All of that is the others', who have the processor meanwhile: a slice for each wait would be ten times the time waited.
static void check_used(double since, double most_ms, const char *what) {
    double ms = (used() - since) * 1e3;
    if (preloaded() && ms > most_ms * WAITS)
        CHECK_FAIL("the others have computed for %.0f ms while this one waited %d times for %s", ms, WAITS, what);
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
    check_used(since, 4, "1 ms");
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    CHECK_OK(timer);
    since = used();
    for (int i = 0; i < WAITS; i++) {
        struct itimerspec once = {.it_value = {.tv_nsec = 1000000}};
        uint64_t expired;
        CHECK_OK(timerfd_settime(timer, 0, &once, NULL));
        CHECK_EQ(read(timer, &expired, sizeof expired), sizeof expired);
    }
    check_used(since, 4, "a timer descriptor of 1 ms");
    CHECK_OK(question = eventfd(0, 0));
    CHECK_OK(answer = eventfd(0, 0));
    pthread_t other = spawn(answer_all, NULL);
    since = used();
    for (uint64_t i = 0, one = 1; i < WAITS; i++) {
        CHECK_EQ(write(question, &one, sizeof one), sizeof one);
        CHECK_EQ(read(answer, &one, sizeof one), sizeof one);
    }
    check_used(since, 0.5, "an answer");
    join_thread(other);
    end_computing(threads, COMPUTING);
    return 0;
}
