// SIGEV_THREAD_ID: the signal goes to that thread alone, also one that waits with sigwait; expiries before it is taken are overruns; a thread that ignores or has ended gets none.
#include "check.h"
#include <semaphore.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static sem_t ready, hold;
static pid_t tid;
static timer_t timer;
static int signo;

static void *waits(void *arg) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    tid = gettid();
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    siginfo_t info;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sigwaitinfo(&set, &info), signo);
        CHECK_EQ(info.si_code, SI_TIMER);
        CHECK_EQ(info.si_value.sival_int, 77);
    }
    // Pending once however often it expires.
    sleep_ms(40);
    CHECK_EQ(sigwaitinfo(&set, &info), signo);
    CHECK(info.si_overrun >= 10);
    CHECK(timer_getoverrun(timer) >= 10);
    struct itimerspec off = {0};
    CHECK_OK(timer_settime(timer, 0, &off, NULL));
    struct timespec zero = {0, 0};
    while (sigtimedwait(&set, &info, &zero) == signo) {
    }
    CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void run(int signal_number, int notify_default) {
    signo = signal_number;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pthread_t t = spawn(waits, NULL);
    CHECK_OK(sem_wait(&ready));
    // This thread would be killed by the default action if the signal came here.
    if (notify_default)
        CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signo, .sigev_value = {.sival_int = 77}};
    ev.sigev_notify_thread_id = tid;
    struct itimerspec every = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
    CHECK_OK(timer_settime(timer, 0, &every, NULL));
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_wait(&ready));
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    // Nobody is told any more.
    CHECK_OK(timer_settime(timer, 0, &every, NULL));
    sleep_ms(10);
    CHECK_OK(timer_delete(timer));
    ev.sigev_notify_thread_id = tid;
    EVENTUALLY(timer_create(CLOCK_MONOTONIC, &ev, &timer) == -1);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
}

static volatile int caught;
static void on_signal(int sig) {
    (void)sig;
    caught++;
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    run(SIGRTMIN + 2, 1);
    run(SIGUSR2, 1);
    run(SIGRTMIN + 2, 0);
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = 0};
    ev.sigev_notify_thread_id = gettid();
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &timer), EINVAL);
    ev.sigev_signo = 65;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &timer), EINVAL);
    ev.sigev_signo = SIGUSR1;
    ev.sigev_notify = SIGEV_THREAD_ID | SIGEV_NONE;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &timer), EINVAL);
    // Ignored, then caught.
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    ev.sigev_notify = SIGEV_THREAD_ID;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
    struct itimerspec every = {.it_value = {0, 1000000}, .it_interval = {0, 1000000}};
    CHECK_OK(timer_settime(timer, 0, &every, NULL));
    sleep_ms(10);
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    EVENTUALLY(caught >= 2);
    CHECK_OK(timer_delete(timer));
    return 0;
}
