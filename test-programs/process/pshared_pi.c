// Priority-inheritance mutexes in shared memory: processes, each with threads, exclude one another; trylock and timeouts; an owner that dies by exit, seen at once and by one who waits.
#include "../check.h"
#include <sys/mman.h>
#include <sys/wait.h>

enum { PROCESSES = 4, THREADS = 3, ROUNDS = 300 };

static struct shared {
    pthread_mutex_t lock, robust;
    int counter;
    _Atomic int held, waiting;
} *shared;

static void init(pthread_mutex_t *lock, int robust) {
    pthread_mutexattr_t attr;
    CHECK_OK(pthread_mutexattr_init(&attr));
    CHECK_OK(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
    CHECK_OK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
    if (robust)
        CHECK_OK(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
    CHECK_OK(pthread_mutex_init(lock, &attr));
    CHECK_OK(pthread_mutexattr_destroy(&attr));
}

static void count(pthread_mutex_t *lock, int rounds) {
    for (int i = 0; i < rounds; i++) {
        CHECK_OK(pthread_mutex_lock(lock));
        int seen = shared->counter;
        if (i % 8 == 0)
            sched_yield();
        if (i % 64 == 0)
            usleep(200);
        shared->counter = seen + 1;
        CHECK_OK(pthread_mutex_unlock(lock));
    }
}

static void *counter(void *lock) {
    count(lock, ROUNDS);
    return NULL;
}

static void contend(pthread_mutex_t *lock, int with_threads) {
    shared->counter = 0;
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            pthread_t threads[THREADS];
            for (int t = 0; with_threads && t < THREADS; t++)
                threads[t] = spawn(counter, lock);
            count(lock, ROUNDS);
            for (int t = 0; with_threads && t < THREADS; t++)
                join_thread(threads[t]);
            _exit(0);
        }
    }
    int more = 0;
    if (with_threads) {
        count(lock, ROUNDS);
        more = 1;
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    CHECK_EQ(shared->counter, ROUNDS * (PROCESSES * (with_threads ? THREADS + 1 : 1) + more));
}

static struct timespec from_now(clockid_t clock, long ms) {
    struct timespec t;
    CHECK_OK(clock_gettime(clock, &t));
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

// A child takes the lock, keeps it until `release` and gives it back, or ends with it.
static pid_t holder(pthread_mutex_t *lock, int dies) {
    shared->held = 0;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK_OK(pthread_mutex_lock(lock));
        shared->held = 1;
        while (!shared->waiting)
            usleep(1000);
        usleep(20000);
        if (!dies)
            CHECK_OK(pthread_mutex_unlock(lock));
        _exit(0);
    }
    while (!shared->held)
        usleep(1000);
    return child;
}

static void reap(pid_t child) {
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void *wait_for_it(void *arg) {
    (void)arg;
    shared->waiting = 1;
    int error = pthread_mutex_lock(&shared->robust);
    CHECK_EQ(error, EOWNERDEAD);
    CHECK_OK(pthread_mutex_consistent(&shared->robust));
    CHECK_OK(pthread_mutex_unlock(&shared->robust));
    return NULL;
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    init(&shared->lock, 0);
    init(&shared->robust, 1);

    contend(&shared->lock, 0);
    contend(&shared->robust, 0);
    contend(&shared->lock, 1);
    contend(&shared->robust, 1);

    // Taken by another process: busy, and timed out on both clocks.
    shared->waiting = 0;
    pid_t child = holder(&shared->lock, 0);
    CHECK_EQ(pthread_mutex_trylock(&shared->lock), EBUSY);
    struct timespec t = from_now(CLOCK_REALTIME, 20);
    CHECK_EQ(pthread_mutex_timedlock(&shared->lock, &t), ETIMEDOUT);
    t = from_now(CLOCK_MONOTONIC, 20);
    // Kernels before 5.14 have no such clock for these locks.
    int error = pthread_mutex_clocklock(&shared->lock, CLOCK_MONOTONIC, &t);
    CHECK(error == ETIMEDOUT || error == EINVAL);
    shared->waiting = 1;
    CHECK_OK(pthread_mutex_lock(&shared->lock));
    CHECK_OK(pthread_mutex_unlock(&shared->lock));
    reap(child);

    // Its owner ends: while somebody waits, and before.
    shared->waiting = 0;
    child = holder(&shared->robust, 1);
    pthread_t waiter = spawn(wait_for_it, NULL);
    join_thread(waiter);
    reap(child);
    shared->waiting = 1;
    child = holder(&shared->robust, 1);
    reap(child);
    CHECK_EQ(pthread_mutex_trylock(&shared->robust), EOWNERDEAD);
    // Not made consistent: of no use to anybody any more.
    CHECK_OK(pthread_mutex_unlock(&shared->robust));
    CHECK_EQ(pthread_mutex_lock(&shared->robust), ENOTRECOVERABLE);
    return 0;
}
