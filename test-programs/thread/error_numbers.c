// Error numbers of thread functions that no other program asks for: attributes, affinity, joins with deadlines, ceilings, sharing, conditions and named semaphores, with another thread alive.
#include "check.h"
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <threads.h>

static void *wait_here(void *arg) {
    pause();
    return arg;
}

static void *nothing(void *arg) { return arg; }

static void attributes(void) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    struct sched_param param = {.sched_priority = 1};
    // The policy is SCHED_OTHER, which has priority 0 only.
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), EINVAL);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    param.sched_priority = 100;
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), EINVAL);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_BATCH), EINVAL);
    CHECK_RC(pthread_attr_setdetachstate(&attr, 7), EINVAL);
    CHECK_RC(pthread_attr_setinheritsched(&attr, 7), EINVAL);
    CHECK_RC(pthread_attr_setscope(&attr, PTHREAD_SCOPE_PROCESS), ENOTSUP);
    CHECK_RC(pthread_attr_setscope(&attr, 7), EINVAL);
    CHECK_RC(pthread_attr_setstacksize(&attr, 1), EINVAL);
    CHECK_RC(pthread_attr_setstack(&attr, &attr, 1), EINVAL);
    // A mask that is too short for a processor that is set in the attribute.
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(900, &set);
    CHECK_RC(pthread_attr_setaffinity_np(&attr, sizeof set, &set), 0);
    CHECK_RC(pthread_attr_getaffinity_np(&attr, 8, &set), EINVAL);
    CHECK_RC(pthread_attr_getaffinity_np(&attr, sizeof set, &set), 0);
    CHECK(CPU_ISSET(900, &set));
    CHECK_RC(pthread_attr_destroy(&attr), 0);

    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN), 0);
    pthread_attr_t own = attr;
    static char stack[65536] __attribute__((aligned(4096)));
    CHECK_RC(pthread_attr_setstack(&own, stack, sizeof stack), 0);
    // A default can't name one stack for all.
    CHECK_RC(pthread_setattr_default_np(&own), EINVAL);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

static void affinity(pthread_t other) {
    cpu_set_t set;
    CHECK_RC(pthread_getaffinity_np(other, 1, &set), EINVAL);
    CHECK_RC(pthread_getaffinity_np(other, sizeof set, &set), 0);
    CPU_ZERO(&set);
    CHECK_RC(pthread_setaffinity_np(other, sizeof set, &set), EINVAL);
    CHECK_RC(pthread_setaffinity_np(other, sizeof set, (cpu_set_t *)8), EFAULT);
    CHECK_ERR(sched_setaffinity(gettid(), sizeof set, &set), EINVAL);
    CHECK_ERR(sched_getaffinity(gettid(), 1, &set), EINVAL);
}

static void joins(pthread_t other) {
    struct timespec past = {0, 0};
    CHECK_RC(pthread_timedjoin_np(other, NULL, &past), ETIMEDOUT);
    CHECK_RC(pthread_clockjoin_np(other, NULL, CLOCK_PROCESS_CPUTIME_ID, &past), EINVAL);
    CHECK_RC(pthread_tryjoin_np(other, NULL), EBUSY);
    CHECK_RC(pthread_join(pthread_self(), NULL), EDEADLK);
    CHECK_RC(pthread_kill(other, 65), EINVAL);
    CHECK_RC(pthread_kill(other, -1), EINVAL);
    CHECK_RC(pthread_sigqueue(other, 65, (union sigval){0}), EINVAL);
    CHECK_RC(pthread_setschedprio(other, 50), EINVAL);
    struct sched_param param = {.sched_priority = 0};
    CHECK_RC(pthread_setschedparam(other, SCHED_FIFO, &param), EINVAL);
    CHECK_RC(pthread_setschedparam(other, 77, &param), EINVAL);
    CHECK_RC(pthread_setname_np(other, "sixteen letters!"), ERANGE);
    char name[15];
    CHECK_RC(pthread_getname_np(other, name, sizeof name), ERANGE);

    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    pthread_t detached;
    CHECK_RC(pthread_create(&detached, &attr, wait_here, NULL), 0);
    CHECK_RC(pthread_join(detached, NULL), EINVAL);
    CHECK_RC(pthread_timedjoin_np(detached, NULL, &past), EINVAL);
    CHECK_RC(pthread_detach(detached), EINVAL);
}

static void objects(void) {
    int value;
    pthread_mutex_t plain = PTHREAD_MUTEX_INITIALIZER;
    CHECK_RC(pthread_mutex_getprioceiling(&plain, &value), EINVAL);
    CHECK_RC(pthread_mutex_setprioceiling(&plain, 1, &value), EINVAL);
    CHECK_RC(pthread_mutex_consistent(&plain), EINVAL);
    struct timespec past = {0, 0}, bad = {.tv_sec = 1, .tv_nsec = -1};
    CHECK_RC(pthread_mutex_clocklock(&plain, CLOCK_PROCESS_CPUTIME_ID, &past), EINVAL);
    CHECK_RC(pthread_mutex_lock(&plain), 0);
    CHECK_RC(pthread_mutex_timedlock(&plain, &bad), EINVAL);
    CHECK_RC(pthread_mutex_timedlock(&plain, &past), ETIMEDOUT);
    CHECK_RC(pthread_mutex_trylock(&plain), EBUSY);

    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    CHECK_RC(pthread_cond_timedwait(&cond, &plain, &bad), EINVAL);
    CHECK_RC(pthread_cond_timedwait(&cond, &plain, &past), ETIMEDOUT);
    CHECK_RC(pthread_cond_clockwait(&cond, &plain, CLOCK_MONOTONIC, &past), ETIMEDOUT);
    CHECK_RC(pthread_cond_clockwait(&cond, &plain, CLOCK_TAI, &past), EINVAL);
    CHECK_RC(pthread_mutex_unlock(&plain), 0);
    pthread_mutex_t checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
    CHECK_RC(pthread_cond_wait(&cond, &checked), EPERM);
    CHECK_RC(pthread_cond_timedwait(&cond, &checked, &past), EPERM);
    CHECK_RC(pthread_mutex_unlock(&checked), EPERM);

    pthread_condattr_t condattr;
    CHECK_RC(pthread_condattr_init(&condattr), 0);
    CHECK_RC(pthread_condattr_setpshared(&condattr, 7), EINVAL);
    CHECK_RC(pthread_condattr_setclock(&condattr, CLOCK_THREAD_CPUTIME_ID), EINVAL);
    pthread_rwlockattr_t rwlockattr;
    CHECK_RC(pthread_rwlockattr_init(&rwlockattr), 0);
    CHECK_RC(pthread_rwlockattr_setpshared(&rwlockattr, 7), EINVAL);
    CHECK_RC(pthread_rwlockattr_setkind_np(&rwlockattr, 7), EINVAL);
    pthread_barrierattr_t barrierattr;
    CHECK_RC(pthread_barrierattr_init(&barrierattr), 0);
    CHECK_RC(pthread_barrierattr_setpshared(&barrierattr, 7), EINVAL);
    pthread_barrier_t barrier;
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 0), EINVAL);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 1u << 31), EINVAL);

    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_RC(pthread_rwlock_rdlock(&rwlock), EDEADLK);
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), EDEADLK);
    CHECK_RC(pthread_rwlock_tryrdlock(&rwlock), EBUSY);
    CHECK_RC(pthread_rwlock_trywrlock(&rwlock), EBUSY);
    CHECK_RC(pthread_rwlock_clockwrlock(&rwlock, CLOCK_TAI, &past), EINVAL);
    CHECK_RC(pthread_rwlock_unlock(&rwlock), 0);

    pthread_key_t key;
    CHECK_RC(pthread_key_create(&key, NULL), 0);
    CHECK_RC(pthread_key_delete(key), 0);
    CHECK_RC(pthread_key_delete(key), EINVAL);
    CHECK_RC(pthread_setspecific(key, &key), EINVAL);
    CHECK_RC(pthread_setspecific(PTHREAD_KEYS_MAX, &key), EINVAL);
    CHECK_RC(pthread_setconcurrency(-1), EINVAL);
    CHECK_RC(pthread_setcancelstate(7, NULL), EINVAL);
    CHECK_RC(pthread_setcanceltype(7, NULL), EINVAL);
}

static void semaphores(void) {
    sem_t sem;
    CHECK_ERR(sem_init(&sem, 0, SEM_VALUE_MAX + 1u), EINVAL);
    CHECK_OK(sem_init(&sem, 0, SEM_VALUE_MAX));
    CHECK_ERR(sem_post(&sem), EOVERFLOW);
    CHECK_OK(sem_init(&sem, 0, 0));
    struct timespec bad = {.tv_sec = 1, .tv_nsec = 1000000000}, past = {0, 0};
    CHECK_ERR(sem_trywait(&sem), EAGAIN);
    CHECK_ERR(sem_timedwait(&sem, &bad), EINVAL);
    CHECK_ERR(sem_timedwait(&sem, &past), ETIMEDOUT);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_TAI, &past), EINVAL);

    char name[64], longest[400];
    snprintf(name, sizeof name, "/greenpatch-error-%d", getpid());
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    sem_unlink(name);
    CHECK(sem_open(name, 0) == SEM_FAILED && errno == ENOENT);
    CHECK(sem_open("/", O_CREAT, 0600, 1) == SEM_FAILED && errno == EINVAL);
    CHECK(sem_open("/a/b", O_CREAT, 0600, 1) == SEM_FAILED && errno == EINVAL);
    CHECK(sem_open(longest, O_CREAT, 0600, 1) == SEM_FAILED && (errno == ENAMETOOLONG || errno == EINVAL));
    CHECK(sem_open(name, O_CREAT, 0600, SEM_VALUE_MAX + 1u) == SEM_FAILED && errno == EINVAL);
    sem_unlink(name); // left by a run that was killed
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    CHECK(named != SEM_FAILED);
    CHECK(sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED && errno == EEXIST);
    CHECK_OK(sem_close(named));
    CHECK_ERR(sem_close(&sem), EINVAL);
    CHECK_OK(sem_unlink(name));
    CHECK_ERR(sem_unlink(name), ENOENT);
}

static int c11(void *arg) {
    (void)arg;
    return 3;
}

static void c11_results(void) {
    mtx_t mutex;
    cnd_t cond;
    CHECK_EQ(mtx_init(&mutex, mtx_timed), thrd_success);
    CHECK_EQ(cnd_init(&cond), thrd_success);
    struct timespec past = {0, 0}, bad = {.tv_sec = 1, .tv_nsec = 1000000000};
    CHECK_EQ(mtx_lock(&mutex), thrd_success);
    CHECK_EQ(mtx_trylock(&mutex), thrd_busy);
    CHECK_EQ(mtx_timedlock(&mutex, &past), thrd_timedout);
    CHECK_EQ(mtx_timedlock(&mutex, &bad), thrd_error);
    CHECK_EQ(cnd_timedwait(&cond, &mutex, &past), thrd_timedout);
    CHECK_EQ(cnd_timedwait(&cond, &mutex, &bad), thrd_error);
    CHECK_EQ(mtx_unlock(&mutex), thrd_success);
    CHECK_EQ(thrd_sleep(&bad, NULL), -2);
    thrd_t thread;
    int result = 0;
    CHECK_EQ(thrd_create(&thread, c11, NULL), thrd_success);
    CHECK_EQ(thrd_join(thread, &result), thrd_success);
    CHECK_EQ(result, 3);
    CHECK_EQ(thrd_join(thrd_current(), NULL), thrd_error);
}

int main(void) {
    pthread_t other = spawn(wait_here, NULL);
    attributes();
    affinity(other);
    joins(other);
    objects();
    semaphores();
    c11_results();
    join_thread(spawn(nothing, NULL));
    return 0;
}
