// Cancellation in condition waits (plain, timed, clock), semaphore waits, joins and C11 waits; the mutex is held in the handler, the joined thread stays joinable.
#include "cancel.h"
#include <semaphore.h>
#include <threads.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static mtx_t c11_mutex;
static cnd_t c11_cond;
static sem_t sem, hold;
static pthread_t sleeper;

static void unlock(void *arg) {
    CHECK_RC(pthread_mutex_trylock(arg), EBUSY);
    CHECK_RC(pthread_mutex_unlock(arg), 0);
}
static void unlock_c11(void *arg) {
    CHECK_EQ(mtx_trylock(arg), thrd_busy);
    CHECK_EQ(mtx_unlock(arg), thrd_success);
}

#define COND(name, wait)                            \
    static void name(void) {                        \
        pthread_mutex_lock(&mutex);                 \
        pthread_cleanup_push(unlock, &mutex);       \
        for (;;)                                    \
            wait;                                   \
        pthread_cleanup_pop(1);                     \
    }
static struct timespec far(clockid_t clock) { return deadline_in(clock, 3600000); }
COND(in_cond_wait, pthread_cond_wait(&cond, &mutex))
COND(in_cond_timedwait, ({ struct timespec ts = far(CLOCK_REALTIME); pthread_cond_timedwait(&cond, &mutex, &ts); }))
COND(in_cond_clockwait,
     ({ struct timespec ts = far(CLOCK_MONOTONIC); pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &ts); }))

static void in_cnd_wait(void) {
    mtx_lock(&c11_mutex);
    pthread_cleanup_push(unlock_c11, &c11_mutex);
    for (;;)
        cnd_wait(&c11_cond, &c11_mutex);
    pthread_cleanup_pop(1);
}
static void in_sem_wait(void) { sem_wait(&sem); }
static void in_sem_timedwait(void) {
    struct timespec ts = far(CLOCK_REALTIME);
    sem_timedwait(&sem, &ts);
}
static void in_sem_clockwait(void) {
    struct timespec ts = far(CLOCK_MONOTONIC);
    sem_clockwait(&sem, CLOCK_MONOTONIC, &ts);
}
static void in_join(void) { pthread_join(sleeper, NULL); }
static void in_timedjoin(void) {
    struct timespec ts = far(CLOCK_REALTIME);
    pthread_timedjoin_np(sleeper, NULL, &ts);
}
static void in_clockjoin(void) {
    struct timespec ts = far(CLOCK_MONOTONIC);
    pthread_clockjoin_np(sleeper, NULL, CLOCK_MONOTONIC, &ts);
}

static void mutex_free(void) {
    CHECK_RC(pthread_mutex_trylock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}
static void sem_intact(void) {
    int value;
    CHECK_OK(sem_getvalue(&sem, &value));
    CHECK_EQ(value, 0);
    CHECK_OK(sem_post(&sem));
    CHECK_OK(sem_trywait(&sem));
}

static const struct cancel_point points[] = {
    {"cond_wait", in_cond_wait, mutex_free},
    {"cond_timedwait", in_cond_timedwait, mutex_free},
    {"cond_clockwait", in_cond_clockwait, mutex_free},
    {"cnd_wait", in_cnd_wait, NULL},
    {"sem_wait", in_sem_wait, sem_intact},
    {"sem_timedwait", in_sem_timedwait, sem_intact},
    {"sem_clockwait", in_sem_clockwait, sem_intact},
    {"join", in_join, NULL},
    {"timedjoin", in_timedjoin, NULL},
    {"clockjoin", in_clockjoin, NULL},
};

static void *until_told(void *arg) {
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}

int main(int argc, char **argv) {
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    CHECK_EQ(mtx_init(&c11_mutex, mtx_plain), thrd_success);
    CHECK_EQ(cnd_init(&c11_cond), thrd_success);
    sleeper = spawn(until_told, (void *)5);
    CANCEL_EACH(points);
    CHECK_OK(sem_post(&hold));
    CHECK_EQ((long)join_thread(sleeper), 5);
    return 0;
}
