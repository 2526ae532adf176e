// Joining oneself, joining and detaching what is detached, and asking about threads that have ended and are not joined yet: EDEADLK, EBUSY, EINVAL, ETIMEDOUT, ESRCH in every form.
#include "check.h"
#include <gnu/libc-version.h>
#include <semaphore.h>

static const struct timespec past = {0, 0};
static sem_t go;

static void *wait_for_go(void *arg) {
    while (sem_wait(&go) != 0) {
    }
    return arg;
}

static void *own_end(void *arg) {
    struct timespec far = deadline_in(CLOCK_REALTIME, 1000000);
    CHECK_RC(pthread_join(pthread_self(), NULL), EDEADLK);
    CHECK_RC(pthread_timedjoin_np(pthread_self(), NULL, &far), EDEADLK);
    CHECK_RC(pthread_clockjoin_np(pthread_self(), NULL, CLOCK_MONOTONIC, &far), EDEADLK);
    CHECK_RC(pthread_tryjoin_np(pthread_self(), NULL), EBUSY);
    CHECK_RC(pthread_detach(pthread_self()), 0);
    CHECK_RC(pthread_detach(pthread_self()), EINVAL);
    return arg;
}

static void detached(void) {
    pthread_t target = spawn(wait_for_go, NULL);
    struct timespec far = deadline_in(CLOCK_REALTIME, 1000000);
    CHECK_RC(pthread_timedjoin_np(target, NULL, &past), ETIMEDOUT);
    CHECK_RC(pthread_clockjoin_np(target, NULL, CLOCK_REALTIME, &past), ETIMEDOUT);
    CHECK_RC(pthread_clockjoin_np(target, NULL, CLOCK_THREAD_CPUTIME_ID, &far), EINVAL);
    CHECK_RC(pthread_detach(target), 0);
    CHECK_RC(pthread_detach(target), EINVAL);
    CHECK_RC(pthread_join(target, NULL), EINVAL);
    CHECK_RC(pthread_timedjoin_np(target, NULL, &far), EINVAL);
    CHECK_RC(pthread_clockjoin_np(target, NULL, CLOCK_MONOTONIC, &far), EINVAL);
    CHECK_OK(sem_post(&go));
    // The next thread waits for one of its own.
    int left;
    EVENTUALLY(sem_getvalue(&go, &left) == 0 && left == 0);
}

// Its memory is still there, as nobody has joined it.
static void ended(void) {
    pthread_t target = spawn(wait_for_go, NULL);
    clockid_t clock;
    int policy;
    struct sched_param param = {.sched_priority = 0};
    CHECK_RC(pthread_getcpuclockid(target, &clock), 0);
    CHECK_RC(pthread_setschedprio(target, 1), EINVAL);
    CHECK_RC(pthread_setschedparam(target, SCHED_FIFO, &param), EINVAL);
    CHECK_RC(pthread_setschedparam(target, 77, &param), EINVAL);
    CHECK_OK(sem_post(&go));
    EVENTUALLY(pthread_getcpuclockid(target, &clock) == ESRCH);
    CHECK_RC(pthread_getschedparam(target, &policy, &param), ESRCH);
    CHECK_RC(pthread_setschedparam(target, SCHED_OTHER, &param), ESRCH);
    CHECK_RC(pthread_setschedprio(target, 0), ESRCH);
    CHECK_RC(pthread_sigqueue(target, SIGUSR1, (union sigval){0}), ESRCH);
    // These have their effect on nobody, which glibc called an error before 2.34.
    int none = gnu_get_libc_version()[2] == '3' && gnu_get_libc_version()[3] < '4' ? ESRCH : 0;
    CHECK_RC(pthread_kill(target, 0), none);
    CHECK_RC(pthread_kill(target, SIGUSR1), none);
    CHECK_RC(pthread_cancel(target), none);
    CHECK_RC(pthread_tryjoin_np(target, NULL), 0);
}

int main(void) {
    CHECK_OK(sem_init(&go, 0, 0));
    spawn(own_end, NULL);
    detached();
    ended();
    return 0;
}
