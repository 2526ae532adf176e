// A thread's CPU clock in other calls: its resolution, sleeping on it from another thread, timers on it; none of it for one's own sleep or a thread that has ended.
#include "check.h"
#include <semaphore.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static sem_t ready, hold;
static volatile int stop, signals, wrong;
static pthread_t handled_by;
static pid_t burner_tid;

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    if (info->si_code != SI_TIMER || info->si_value.sival_int != 12)
        wrong++;
    handled_by = pthread_self();
    signals++;
}

static void *burn(void *arg) {
    burner_tid = gettid();
    CHECK_OK(sem_post(&ready));
    volatile unsigned long work = 0;
    while (!stop)
        work++;
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *idle(void *arg) {
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t a = spawn(burn, NULL), b = spawn(idle, NULL);
    CHECK_OK(sem_wait(&ready));
    CHECK_OK(sem_wait(&ready));
    clockid_t of_a, of_b, mine;
    CHECK_RC(pthread_getcpuclockid(a, &of_a), 0);
    CHECK_RC(pthread_getcpuclockid(b, &of_b), 0);
    CHECK_RC(pthread_getcpuclockid(pthread_self(), &mine), 0);
    struct timespec ts;
    CHECK_OK(clock_getres(of_a, &ts));
    CHECK(ts.tv_sec == 0 && ts.tv_nsec == 1);
    CHECK_OK(clock_getres(CLOCK_THREAD_CPUTIME_ID, NULL));
    CHECK_ERR(clock_settime(of_a, &ts), EPERM);
    CHECK_ERR(clock_gettime(of_a, (void *)8), EFAULT);

    int64_t begun = now_ns(of_a);
    ts = ns_to_timespec(30000000);
    CHECK_RC(clock_nanosleep(of_a, 0, &ts, NULL), 0);
    CHECK(now_ns(of_a) - begun >= 30000000);
    ts = ns_to_timespec(now_ns(of_a) + 20000000);
    CHECK_RC(clock_nanosleep(of_a, TIMER_ABSTIME, &ts, NULL), 0);
    CHECK(now_ns(of_a) >= ts.tv_sec * 1000000000LL + ts.tv_nsec);
    CHECK_RC(clock_nanosleep(mine, 0, &ts, NULL), EINVAL);
    CHECK_RC(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EINVAL);
    ts.tv_nsec = 1000000000;
    CHECK_RC(clock_nanosleep(of_a, 0, &ts, NULL), EINVAL);

    // A timer on the busy thread's clock, to this thread, and one on the idle thread's, which never fires.
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGRTMIN + 3, &sa, NULL));
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3, .sigev_value = {.sival_int = 12}};
    ev.sigev_notify_thread_id = gettid();
    timer_t timer, never, silent;
    struct itimerspec every = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}}, left;
    CHECK_OK(timer_create(of_a, &ev, &timer));
    CHECK_OK(timer_create(of_b, &ev, &never));
    CHECK_OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    struct itimerspec bad = {.it_value = {0, -1}};
    CHECK_ERR(timer_settime(timer, 0, &bad, NULL), EINVAL);
    struct itimerspec far = {.it_value = {100, 0}};
    CHECK_OK(timer_settime(never, 0, &far, NULL));
    begun = now_ns(of_a);
    CHECK_OK(timer_settime(timer, 0, &every, NULL));
    while (signals < 4)
        sleep_ms(1000);
    CHECK(now_ns(of_a) - begun >= 20000000);
    CHECK(pthread_equal(handled_by, pthread_self()));
    CHECK_EQ(wrong, 0);
    CHECK_OK(timer_gettime(timer, &left));
    CHECK_EQ(left.it_interval.tv_nsec, 5000000);
    CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 5000000);
    CHECK_OK(timer_gettime(never, &left));
    CHECK(left.it_value.tv_sec >= 90);
    struct itimerspec off = {0}, old;
    CHECK_OK(timer_settime(timer, 0, &off, &old));
    CHECK_EQ(old.it_interval.tv_nsec, 5000000);
    CHECK_OK(timer_delete(timer));
    CHECK_OK(timer_delete(never));
    CHECK_ERR(timer_delete(never), EINVAL);

    // To the process, and to nobody.
    ev.sigev_notify = SIGEV_SIGNAL;
    signals = 0;
    CHECK_OK(timer_create(of_a, &ev, &timer));
    CHECK_OK(timer_settime(timer, 0, &every, NULL));
    EVENTUALLY(signals >= 2);
    CHECK_OK(timer_delete(timer));
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    CHECK_OK(timer_create(of_a, &none, &silent));
    CHECK_OK(timer_settime(silent, 0, &far, NULL));
    CHECK_OK(timer_gettime(silent, &left));
    CHECK(left.it_value.tv_sec >= 50 && left.it_value.tv_sec <= 100);
    CHECK_OK(timer_delete(silent));

    stop = 1;
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_post(&hold));
    join_thread(a);
    join_thread(b);
    EVENTUALLY(clock_gettime(of_a, &ts) == -1);
    CHECK_ERR(clock_gettime(of_a, &ts), EINVAL);
    CHECK_ERR(clock_getres(of_a, &ts), EINVAL);
    CHECK_ERR(timer_create(of_a, &ev, &timer), EINVAL);
    ts = ns_to_timespec(1000);
    CHECK_RC(clock_nanosleep(of_a, 0, &ts, NULL), EINVAL);
    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_notify_thread_id = burner_tid;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &timer), EINVAL);
    return 0;
}
