// A repeating timer whose signal is blocked counts its overruns; profiling and virtual interval timers tick while the process computes.
#include "check.h"
#include <sys/time.h>

static volatile int ticks;

static void on_tick(int sig) {
    (void)sig;
    ticks++;
}

static void *burn_until_ticks(void *arg) {
    volatile unsigned long work = 0;
    while (ticks < 3)
        work++;
    return arg;
}

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    timer_t timer;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 5};
    struct itimerspec its = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
    CHECK_OK(timer_settime(timer, 0, &its, NULL));
    sleep_ms(20);
    siginfo_t info;
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 5);
    CHECK(info.si_overrun >= 10);
    CHECK(timer_getoverrun(timer) >= 10);
    CHECK_OK(timer_delete(timer));

    struct itimerval fast = {.it_value = {0, 5000}, .it_interval = {0, 5000}}, off = {0};
    CHECK(signal(SIGPROF, on_tick) != SIG_ERR);
    CHECK(signal(SIGVTALRM, on_tick) != SIG_ERR);
    int which[] = {ITIMER_PROF, ITIMER_VIRTUAL};
    for (int i = 0; i < 2; i++) {
        ticks = 0;
        CHECK_OK(setitimer(which[i], &fast, NULL));
        burn_until_ticks(NULL);
        join_thread(spawn(burn_until_ticks, NULL));
        CHECK_OK(setitimer(which[i], &off, NULL));
    }
    return 0;
}
