// Timed waits on condition variables: ETIMEDOUT not before the deadline on both clocks, EINVAL, 0 if signalled, and the mutex is held afterwards in every case.
#include "check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, monotonic;
static int told;

static int64_t in_ns(struct timespec ts) { return ts.tv_sec * 1000000000LL + ts.tv_nsec; }

static void *tell(void *arg) {
    pthread_mutex_lock(&mutex);
    told = 1;
    pthread_cond_signal(arg);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *holds(void *arg) {
    CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
    return arg;
}

static void mutex_is_held(void) { join_thread(spawn(holds, NULL)); }

static int timed(int how, pthread_cond_t *c, clockid_t clock, const struct timespec *deadline) {
    return how == 0 ? pthread_cond_timedwait(c, &mutex, deadline) : pthread_cond_clockwait(c, &mutex, clock, deadline);
}

int main(void) {
    pthread_condattr_t attr;
    clockid_t got;
    CHECK_RC(pthread_condattr_init(&attr), 0);
    CHECK_RC(pthread_condattr_setclock(&attr, CLOCK_PROCESS_CPUTIME_ID), EINVAL);
    CHECK_RC(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
    CHECK_RC(pthread_condattr_getclock(&attr, &got), 0);
    CHECK_EQ(got, CLOCK_MONOTONIC);
    CHECK_RC(pthread_cond_init(&monotonic, &attr), 0);
    CHECK_RC(pthread_condattr_destroy(&attr), 0);

    struct {
        int how;
        pthread_cond_t *cond;
        clockid_t clock;
    } cases[] = {{0, &cond, CLOCK_REALTIME},      {0, &monotonic, CLOCK_MONOTONIC}, {1, &cond, CLOCK_MONOTONIC},
                 {1, &cond, CLOCK_REALTIME},      {1, &monotonic, CLOCK_REALTIME}};
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int how = cases[i].how;
        pthread_cond_t *c = cases[i].cond;
        clockid_t clock = cases[i].clock;
        struct timespec deadline = deadline_in(clock, 15);
        int rc;
        while ((rc = timed(how, c, clock, &deadline)) == 0) {
        }
        CHECK_RC(rc, ETIMEDOUT);
        CHECK(now_ns(clock) >= in_ns(deadline));
        mutex_is_held();
        deadline = deadline_in(clock, -1000);
        CHECK_RC(timed(how, c, clock, &deadline), ETIMEDOUT);
        deadline = (struct timespec){0, 0};
        CHECK_RC(timed(how, c, clock, &deadline), ETIMEDOUT);
        deadline = (struct timespec){-1, 0};
        CHECK_RC(timed(how, c, clock, &deadline), ETIMEDOUT);
        mutex_is_held();
        deadline = deadline_in(clock, 60000);
        deadline.tv_nsec = 1000000000;
        CHECK_RC(timed(how, c, clock, &deadline), EINVAL);
        deadline.tv_nsec = -1;
        CHECK_RC(timed(how, c, clock, &deadline), EINVAL);
        deadline = deadline_in(clock, 60000);
        told = 0;
        pthread_t t = spawn(tell, c);
        while (!told)
            CHECK_RC(timed(how, c, clock, &deadline), 0);
        mutex_is_held();
        join_thread(t);
    }
    struct timespec deadline = deadline_in(CLOCK_MONOTONIC, 5);
    CHECK_RC(pthread_cond_clockwait(&cond, &mutex, CLOCK_THREAD_CPUTIME_ID, &deadline), EINVAL);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return 0;
}
