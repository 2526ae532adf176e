// Cancellation in sleep, usleep, nanosleep, clock_nanosleep (relative and absolute) and thrd_sleep runs cleanup handlers.
#include "cancel.h"
#include <threads.h>

static const struct timespec hour = {3600, 0};

static void in_sleep(void) { sleep(3600); }
static void in_usleep(void) { usleep(999999999); }
static void in_nanosleep(void) { nanosleep(&hour, NULL); }
static void in_clock_relative(void) { clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, NULL); }
static void in_clock_absolute(void) {
    struct timespec ts = deadline_in(CLOCK_REALTIME, 3600000);
    clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL);
}
static void in_thrd_sleep(void) { thrd_sleep(&hour, NULL); }

static const struct cancel_point points[] = {
    {"sleep", in_sleep, NULL},
    {"usleep", in_usleep, NULL},
    {"nanosleep", in_nanosleep, NULL},
    {"clock_relative", in_clock_relative, NULL},
    {"clock_absolute", in_clock_absolute, NULL},
    {"thrd_sleep", in_thrd_sleep, NULL},
};

int main(int argc, char **argv) {
    CANCEL_EACH(points);
    return 0;
}
