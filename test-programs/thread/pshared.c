// Process-shared mutex, condition variable, barrier, rwlock and semaphore between this process's threads and a child's.
#include "check.h"
#include <semaphore.h>
#include <sys/mman.h>

enum { THREADS = 4, ROUNDS = 50 };
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    pthread_rwlock_t rwlock;
    sem_t sem;
    int turn, counter, read_counter, posts;
} *s;

static void *work(void *arg) {
    long side = (long)arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_RC(pthread_mutex_lock(&s->mutex), 0);
        while (s->turn != side)
            CHECK_RC(pthread_cond_wait(&s->cond, &s->mutex), 0);
        s->counter++;
        s->turn = !side;
        CHECK_RC(pthread_cond_broadcast(&s->cond), 0);
        CHECK_RC(pthread_mutex_unlock(&s->mutex), 0);
        if (i % 10 == 0) {
            int rc = pthread_barrier_wait(&s->barrier);
            CHECK(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
        }
        CHECK_RC(pthread_rwlock_rdlock(&s->rwlock), 0);
        CHECK_RC(pthread_rwlock_unlock(&s->rwlock), 0);
        CHECK_RC(pthread_rwlock_wrlock(&s->rwlock), 0);
        s->read_counter++;
        CHECK_RC(pthread_rwlock_unlock(&s->rwlock), 0);
        CHECK_OK(sem_post(&s->sem));
        while (sem_wait(&s->sem) == -1)
            CHECK_EQ(errno, EINTR);
    }
    return NULL;
}

static void run_side(long side) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(work, (void *)side);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}

int main(void) {
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(s != MAP_FAILED);
    pthread_mutexattr_t ma;
    pthread_condattr_t ca;
    pthread_barrierattr_t ba;
    pthread_rwlockattr_t ra;
    int got;
    CHECK_RC(pthread_mutexattr_init(&ma), 0);
    CHECK_RC(pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_mutexattr_getpshared(&ma, &got), 0);
    CHECK_EQ(got, PTHREAD_PROCESS_SHARED);
    CHECK_RC(pthread_mutex_init(&s->mutex, &ma), 0);
    CHECK_RC(pthread_condattr_init(&ca), 0);
    CHECK_RC(pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_condattr_getpshared(&ca, &got), 0);
    CHECK_EQ(got, PTHREAD_PROCESS_SHARED);
    CHECK_RC(pthread_cond_init(&s->cond, &ca), 0);
    CHECK_RC(pthread_barrierattr_init(&ba), 0);
    CHECK_RC(pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_barrierattr_getpshared(&ba, &got), 0);
    CHECK_EQ(got, PTHREAD_PROCESS_SHARED);
    CHECK_RC(pthread_barrier_init(&s->barrier, &ba, 2 * THREADS), 0);
    CHECK_RC(pthread_barrierattr_destroy(&ba), 0);
    CHECK_RC(pthread_rwlockattr_init(&ra), 0);
    CHECK_RC(pthread_rwlockattr_setpshared(&ra, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_rwlock_init(&s->rwlock, &ra), 0);
    CHECK_OK(sem_init(&s->sem, 1, 0));
    fflush(NULL);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        run_side(1);
        _exit(0);
    }
    run_side(0);
    CHECK_EQ(wait_child(pid), 0);
    CHECK_EQ(s->counter, 2 * THREADS * ROUNDS);
    CHECK_EQ(s->read_counter, 2 * THREADS * ROUNDS);
    CHECK_OK(sem_getvalue(&s->sem, &got));
    CHECK_EQ(got, 0);
    return 0;
}
