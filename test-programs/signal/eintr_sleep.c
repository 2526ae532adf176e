// A handler interrupts every sleep, also with SA_RESTART, and the time that is left comes back; an absolute sleep leaves the remainder alone.
#include "eintr.h"

static int left_ok(struct timespec left) { return left.tv_sec <= 3600 && left.tv_sec > 3500 && left.tv_nsec >= 0; }

static int in_nanosleep(void) {
    struct timespec ts = {3600, 0}, left = {0, 0};
    int error = EINTR_RESULT(nanosleep(&ts, &left));
    CHECK(left_ok(left));
    CHECK_EQ(ts.tv_sec, 3600);
    return error;
}
static int in_nanosleep_same(void) {
    struct timespec ts = {3600, 0};
    int error = EINTR_RESULT(nanosleep(&ts, &ts));
    CHECK(left_ok(ts));
    return error;
}
static int in_nanosleep_null(void) {
    struct timespec ts = {3600, 0};
    return EINTR_RESULT(nanosleep(&ts, NULL));
}
static int in_clock_relative(void) {
    struct timespec ts = {3600, 0}, left = {0, 0};
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &left);
    CHECK(left_ok(left));
    return error;
}
static int in_clock_absolute(void) {
    struct timespec ts = deadline_in(CLOCK_REALTIME, 3600000), left = {77, 77};
    int error = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, &left);
    CHECK(left.tv_sec == 77 && left.tv_nsec == 77);
    return error;
}
static int in_usleep(void) { return EINTR_RESULT(usleep(999999999)); }
static int in_sleep(void) {
    unsigned left = sleep(3600);
    CHECK(left > 3500 && left <= 3600);
    return EINTR;
}

static const struct eintr_point points[] = {
    {"nanosleep", in_nanosleep, NULL, NEVER_RESTARTED},
    {"nanosleep_same", in_nanosleep_same, NULL, NEVER_RESTARTED},
    {"nanosleep_null", in_nanosleep_null, NULL, NEVER_RESTARTED},
    {"clock_relative", in_clock_relative, NULL, NEVER_RESTARTED},
    {"clock_absolute", in_clock_absolute, NULL, NEVER_RESTARTED},
    {"usleep", in_usleep, NULL, NEVER_RESTARTED},
    {"sleep", in_sleep, NULL, NEVER_RESTARTED},
};

int main(int argc, char **argv) {
    EINTR_EACH(points);
    return 0;
}
