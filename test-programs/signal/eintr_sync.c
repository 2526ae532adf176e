// A handler interrupts semaphore and raw futex waits as the kernel does (with SA_RESTART the untimed go on); mutexes, conditions, rwlocks, barriers and joins never tell.
#include "eintr.h"
#include <linux/futex.h>
#include <semaphore.h>

static sem_t sem;
static uint32_t word;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, cond_mutex = PTHREAD_MUTEX_INITIALIZER, pi_mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static int told;

static int in_sem_wait(void) { return EINTR_RESULT(sem_wait(&sem)); }
static int in_sem_timedwait(void) {
    struct timespec ts = deadline_in(CLOCK_REALTIME, 3600000);
    return EINTR_RESULT(sem_timedwait(&sem, &ts));
}
static void post(void) { CHECK_OK(sem_post(&sem)); }

static int in_futex(void) { return EINTR_RESULT(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0)); }
static int in_futex_bitset(void) {
    return EINTR_RESULT(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1));
}
static int in_futex_timed(void) {
    struct timespec ts = {3600, 0};
    return EINTR_RESULT(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0));
}
static void wake(void) { EVENTUALLY(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1); }

static int in_mutex(void) {
    int rc = pthread_mutex_lock(&mutex);
    return rc ? rc : pthread_mutex_unlock(&mutex);
}
static void unlock(void) {
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    eintr_let_return();
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
}
static int in_pi_mutex(void) {
    int rc = pthread_mutex_lock(&pi_mutex);
    return rc ? rc : pthread_mutex_unlock(&pi_mutex);
}
static void unlock_pi(void) {
    CHECK_RC(pthread_mutex_unlock(&pi_mutex), 0);
    eintr_let_return();
    CHECK_RC(pthread_mutex_lock(&pi_mutex), 0);
}
static int in_cond(void) {
    int rc = pthread_mutex_lock(&cond_mutex);
    while (rc == 0 && !told)
        rc = pthread_cond_wait(&cond, &cond_mutex);
    told = 0;
    pthread_mutex_unlock(&cond_mutex);
    return rc;
}
static int in_cond_timed(void) {
    struct timespec ts = deadline_in(CLOCK_REALTIME, 3600000);
    int rc = pthread_mutex_lock(&cond_mutex);
    while (rc == 0 && !told)
        rc = pthread_cond_timedwait(&cond, &cond_mutex, &ts);
    told = 0;
    pthread_mutex_unlock(&cond_mutex);
    return rc;
}
static void tell(void) {
    pthread_mutex_lock(&cond_mutex);
    told = 1;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&cond_mutex);
}
static int in_rwlock(void) {
    int rc = pthread_rwlock_rdlock(&rwlock);
    return rc ? rc : pthread_rwlock_unlock(&rwlock);
}
static void unlock_rw(void) {
    CHECK_RC(pthread_rwlock_unlock(&rwlock), 0);
    eintr_let_return();
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), 0);
}
static int in_barrier(void) {
    int rc = pthread_barrier_wait(&barrier);
    return rc == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : rc;
}
static void meet(void) { in_barrier(); }
static void *wait_for_post(void *arg) {
    while (sem_wait(&sem) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}
static int in_join(void) { return pthread_join(spawn(wait_for_post, NULL), NULL); }

static const struct eintr_point points[] = {
    {"sem_wait", in_sem_wait, post, RESTARTED},
    {"sem_timedwait", in_sem_timedwait, post, NEVER_RESTARTED},
    {"futex", in_futex, wake, RESTARTED},
    {"futex_bitset", in_futex_bitset, wake, RESTARTED},
    {"futex_timed", in_futex_timed, wake, NEVER_RESTARTED},
    {"mutex", in_mutex, unlock, UNINTERRUPTED},
    {"pi_mutex", in_pi_mutex, unlock_pi, UNINTERRUPTED},
    {"cond", in_cond, tell, UNINTERRUPTED},
    {"cond_timed", in_cond_timed, tell, UNINTERRUPTED},
    {"rwlock", in_rwlock, unlock_rw, UNINTERRUPTED},
    {"barrier", in_barrier, meet, UNINTERRUPTED},
    {"join", in_join, post, UNINTERRUPTED},
};

int main(int argc, char **argv) {
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
    CHECK_RC(pthread_mutex_init(&pi_mutex, &attr), 0);
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 2), 0);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_lock(&pi_mutex), 0);
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), 0);
    EINTR_EACH(points);
    return 0;
}
