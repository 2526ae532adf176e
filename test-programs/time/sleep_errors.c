// nanosleep, clock_nanosleep and usleep: EINVAL for bad times, flags and clocks, EFAULT for bad pointers, with other threads alive and without; a failed sleep returns at once.
#include "check.h"

static void *volatile bad_pointer = (void *)8;

static void *errors(void *arg) {
    struct timespec bad[] = {{0, -1}, {0, 1000000000}, {-1, 0}, {-5, 999999999}}, good = {0, 1000}, left = {7, 7};
    for (int i = 0; i < 4; i++) {
        CHECK_ERR(nanosleep(&bad[i], &left), EINVAL);
        CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad[i], &left), EINVAL);
        CHECK_RC(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &bad[i], NULL), EINVAL);
    }
    CHECK(left.tv_sec == 7 && left.tv_nsec == 7);
    CHECK_ERR(nanosleep(bad_pointer, NULL), EFAULT);
    CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC, 0, bad_pointer, NULL), EFAULT);
    CHECK_RC(clock_nanosleep(12345, 0, &good, NULL), EINVAL);
    CHECK_RC(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &good, NULL), EINVAL);
    CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &good, NULL), ENOTSUP);
    CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &good, NULL), ENOTSUP);
    // The remainder is only looked at when there is one.
    CHECK_OK(nanosleep(&good, bad_pointer));
    errno = 5;
    CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad[0], NULL), EINVAL);
    CHECK_EQ(errno, 5);
    return arg;
}

static void *idle(void *arg) {
    sleep_ms(20);
    return arg;
}

int main(void) {
    errors(NULL);
    pthread_t other = spawn(idle, NULL), t[3];
    errors(NULL);
    for (int i = 0; i < 3; i++)
        t[i] = spawn(errors, NULL);
    for (int i = 0; i < 3; i++)
        join_thread(t[i]);
    join_thread(other);
    return 0;
}
