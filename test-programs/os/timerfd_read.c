// A read of a timerfd waits for the timer that another thread sets, and for each period; the others go on meanwhile.
#include "os/channel.h"
#include <sys/timerfd.h>

static int turns;

static void set(int fd) {
    struct itimerspec when = {.it_value.tv_nsec = 1000000};
    CHECK_OK(timerfd_settime(fd, 0, &when, NULL));
}

static void *answer(void *arg) {
    int *end = arg;
    char c;
    while (read(end[0], &c, 1) == 1)
        turns++;
    return NULL;
}

static void *ask(void *arg) {
    int *end = arg;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(write(end[1], "x", 1), 1);
    CHECK_OK(close(end[1]));
    return NULL;
}

int main(void) {
    const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME};
    uint64_t expirations;
    for (int c = 0; c < 3; c++) {
        int fd = timerfd_create(clocks[c], 0);
        CHECK(fd >= 0);
        struct later later = {.fd = fd, .act = set};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(read(fd, &expirations, sizeof expirations), 8);
        CHECK_EQ(expirations, 1);
        join_thread(t);

        int64_t begin = now_ns(CLOCK_MONOTONIC);
        struct itimerspec when = {.it_value.tv_nsec = 2000000, .it_interval.tv_nsec = 2000000};
        CHECK_OK(timerfd_settime(fd, 0, &when, NULL));
        for (uint64_t seen = 0; seen < 10; seen += expirations)
            CHECK_EQ(read(fd, &expirations, sizeof expirations), 8);
        CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 19 * 1000000);

        struct timespec at = deadline_in(clocks[c], 3);
        when = (struct itimerspec){.it_value = at};
        CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL));
        CHECK_EQ(read(fd, &expirations, sizeof expirations), 8);
        CHECK(now_ns(clocks[c]) >= (int64_t)at.tv_sec * 1000000000 + at.tv_nsec);
        CHECK_INTERRUPTED(read(fd, &expirations, sizeof expirations));
        CHECK_OK(close(fd));
    }

    // While one waits for the timer, two others finish their talk.
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), end[2];
    open_pipe(end);
    struct itimerspec when = {.it_value.tv_nsec = 200000000};
    CHECK_OK(timerfd_settime(fd, 0, &when, NULL));
    pthread_t a = spawn(answer, end), b = spawn(ask, end);
    CHECK_EQ(read(fd, &expirations, sizeof expirations), 8);
    join_thread(a);
    join_thread(b);
    CHECK_EQ(turns, 100);
    return 0;
}
