// The longest times there are don't overflow: such a sleep is still going on after a while and ends by a signal with nearly all of it left.
#include "check.h"

static volatile int ticks;

static void on_signal(int sig) {
    (void)sig;
    ticks++;
}

static void *sleeps(void *arg) {
    struct timespec longest = {INT64_MAX, 999999999}, left = {0, 0};
    switch ((long)arg) {
    case 0:
        CHECK_ERR(nanosleep(&longest, &left), EINTR);
        CHECK(left.tv_sec > 1000000000);
        break;
    case 1:
        CHECK_RC(clock_nanosleep(CLOCK_MONOTONIC, 0, &longest, NULL), EINTR);
        break;
    case 2:
        CHECK_RC(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &longest, NULL), EINTR);
        break;
    case 3:
        CHECK(sleep(4000000000u) > 3999990000u);
    }
    CHECK(ticks > 0);
    return NULL;
}

int main(void) {
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    for (long how = 0; how < 4; how++) {
        pthread_t t = spawn(sleeps, (void *)how);
        sleep_ms(5);
        CHECK_RC(pthread_tryjoin_np(t, NULL), EBUSY);
        ticks = 0;
        int rc;
        while ((rc = pthread_tryjoin_np(t, NULL)) == EBUSY) {
            pthread_kill(t, SIGUSR1);
            sleep_ms(1);
        }
        CHECK_RC(rc, 0);
    }
    return 0;
}
