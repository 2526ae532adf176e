// Clock ids that name no clock are EINVAL in every call that takes one, with and without other threads.
#include "check.h"

static void *ask(void *arg) {
    static const clockid_t bad[] = {-1, -2, 1000, 12, (clockid_t)(~5u << 3 | 7), (clockid_t)(~0u << 3 | 3)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        // Nobody can wait for a clock that is a descriptor, valid or not.
        int wait_error = (bad[i] & 7) == 3 ? EOPNOTSUPP : EINVAL;
        struct timespec ts = {0};
        timer_t timer;
        struct sigevent event = {.sigev_notify = SIGEV_NONE};
        if (i != 1) {
            // -2 is the caller's CPU time, which nobody can wait for.
            CHECK_ERR(clock_gettime(bad[i], &ts), EINVAL);
            CHECK_ERR(clock_getres(bad[i], &ts), EINVAL);
            CHECK_ERR(clock_settime(bad[i], &ts), EINVAL);
            CHECK_ERR(timer_create(bad[i], &event, &timer), wait_error);
        }
        ts.tv_nsec = 1;
        CHECK_RC(clock_nanosleep(bad[i], 0, &ts, NULL), wait_error);
    }
    return arg;
}

int main(void) {
    ask(NULL);
    join_thread(spawn(ask, NULL));
    ask(NULL);
    return 0;
}
