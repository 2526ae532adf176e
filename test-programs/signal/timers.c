// alarm, setitimer and timer_create (signal, thread, thread id, none) fire the right signal with its value in the right place, once or repeatedly, and stop.
#include "check.h"
#include <semaphore.h>
#include <sys/time.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int alarms, timer_signals, wrong;
static pthread_t handled_by;
static sem_t sem;

static void on_alarm(int sig) {
    (void)sig;
    alarms++;
}

static void on_timer(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    if (info->si_code != SI_TIMER || info->si_value.sival_int != 4711)
        wrong++;
    handled_by = pthread_self();
    timer_signals++;
}

static void on_thread(union sigval value) {
    if (value.sival_int != 99)
        wrong++;
    CHECK_OK(sem_post(&sem));
}

static void *park(void *arg) {
    // Main blocks the timer's signal.
    pid_t *tid = arg;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 4);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    __atomic_store_n(tid, gettid(), __ATOMIC_SEQ_CST);
    while (timer_signals < 3)
        sleep(3600);
    CHECK(pthread_equal(handled_by, pthread_self()));
    return NULL;
}

static void *wait_sem(void *arg) {
    while (sem_wait(&sem) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}

static struct itimerspec every_ms(long ms, int repeat) {
    struct itimerspec its = {.it_value = ns_to_timespec(ms * 1000000)};
    if (repeat)
        its.it_interval = its.it_value;
    return its;
}

int main(void) {
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
    struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGRTMIN + 4, &sa, NULL));

    CHECK_EQ(alarm(100), 0);
    CHECK(alarm(0) > 90);
    struct itimerval once = {.it_value = {0, 5000}}, old;
    CHECK_OK(setitimer(ITIMER_REAL, &once, NULL));
    EVENTUALLY(alarms == 1);
    struct itimerval repeat = {.it_value = {0, 2000}, .it_interval = {0, 2000}}, off = {0};
    CHECK_OK(setitimer(ITIMER_REAL, &repeat, NULL));
    EVENTUALLY(alarms >= 5);
    CHECK_OK(setitimer(ITIMER_REAL, &off, &old));
    CHECK_EQ(old.it_interval.tv_usec, 2000);
    int seen = alarms;
    sleep_ms(10);
    CHECK_EQ(alarms, seen);
    CHECK_EQ(alarm(1), 0);
    pthread_t sleeper = spawn(wait_sem, NULL);
    EVENTUALLY(alarms == seen + 1);
    CHECK_OK(sem_post(&sem));
    join_thread(sleeper);

    timer_t timer;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 4, .sigev_value = {.sival_int = 4711}};
    struct itimerspec its = every_ms(3, 0), left;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
    CHECK_OK(timer_settime(timer, 0, &its, NULL));
    EVENTUALLY(timer_signals == 1);
    CHECK_OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
    CHECK_OK(timer_delete(timer));

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 4);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pid_t tid = 0;
    timer_signals = 0;
    pthread_t t = spawn(park, &tid);
    EVENTUALLY(__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0);
    ev.sigev_notify = SIGEV_THREAD_ID;
    ev.sigev_notify_thread_id = tid;
    its = every_ms(3, 1);
    CHECK_OK(timer_create(CLOCK_REALTIME, &ev, &timer));
    CHECK_OK(timer_settime(timer, 0, &its, NULL));
    join_thread(t);
    CHECK_OK(timer_delete(timer));

    struct sigevent thread_ev = {.sigev_notify = SIGEV_THREAD, .sigev_value = {.sival_int = 99}};
    thread_ev.sigev_notify_function = on_thread;
    its = every_ms(2, 1);
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &thread_ev, &timer));
    CHECK_OK(timer_settime(timer, 0, &its, NULL));
    for (int i = 0; i < 5; i++)
        CHECK_OK(sem_wait(&sem));
    CHECK_OK(timer_delete(timer));
    CHECK_EQ(wrong, 0);

    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    its = every_ms(100000, 0);
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &none, &timer));
    CHECK_OK(timer_settime(timer, 0, &its, NULL));
    CHECK_OK(timer_gettime(timer, &left));
    CHECK(left.it_value.tv_sec > 50);
    CHECK_OK(timer_delete(timer));
    return 0;
}
