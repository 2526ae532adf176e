// A timer that runs out every microsecond keeps its handler busy, as in Linux, and not the thread from ever coming to it: three thousand runs, for a timer of timer_create and one of setitimer.
#include "check.h"
#include <sys/time.h>

enum { RUNS = 3000 };
static volatile sig_atomic_t runs;
static timer_t timer;

static void stop(void) {
    struct itimerspec none = {0};
    CHECK_EQ(timer_settime(timer, 0, &none, NULL), 0);
}

static void on_timer(int signal) {
    (void)signal;
    if (++runs == RUNS)
        stop();
}

static void on_alarm(int signal) {
    (void)signal;
    struct itimerval none = {0};
    if (++runs == RUNS)
        CHECK_EQ(setitimer(ITIMER_REAL, &none, NULL), 0);
}

static void await_runs(void) {
    while (runs < RUNS)
        usleep(10000);
}

static void *sleep_long(void *arg) {
    for (;;)
        pause();
    return arg;
}

int main(void) {
    // It lets none of these signals in: it might come to count beside the main thread.
    sigset_t all, before;
    sigfillset(&all);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &all, &before), 0);
    spawn(sleep_long, NULL);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);

    struct sigaction action = {.sa_handler = on_timer};
    CHECK_EQ(sigaction(SIGRTMIN, &action, NULL), 0);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    CHECK_EQ(timer_create(CLOCK_REALTIME, &event, &timer), 0);
    struct itimerspec often = {.it_interval.tv_nsec = 1000, .it_value.tv_nsec = 1000};
    CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
    await_runs();

    runs = 0;
    action.sa_handler = on_alarm;
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval often_too = {.it_interval.tv_usec = 1, .it_value.tv_usec = 1};
    CHECK_EQ(setitimer(ITIMER_REAL, &often_too, NULL), 0);
    await_runs();
    return 0;
}
