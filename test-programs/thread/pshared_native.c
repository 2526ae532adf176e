// Two processes, one of them without the shim, share a mutex, condition variable, barrier, semaphore and robust mutexes in a file; threads on both sides.
#include "check.h"
#include <semaphore.h>
#include <sys/mman.h>

enum { THREADS = 3, ROUNDS = 60 };
struct shared {
    pthread_mutex_t mutex, robust;
    pthread_cond_t cond;
    pthread_barrier_t barrier;
    sem_t sem[2];
    int turn, counter, deaths;
};
static struct shared *s;
static long side;

static void lock_robust(void) {
    int rc = pthread_mutex_lock(&s->robust);
    if (rc == EOWNERDEAD) {
        s->deaths++;
        CHECK_RC(pthread_mutex_consistent(&s->robust), 0);
    } else {
        CHECK_RC(rc, 0);
    }
}

static void *die_with_it(void *arg) {
    lock_robust();
    return arg;
}

static void *work(void *arg) {
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
            // The lock of a thread that ends passes to somebody on one of the two sides.
            join_thread(spawn(die_with_it, NULL));
        }
        lock_robust();
        CHECK_RC(pthread_mutex_unlock(&s->robust), 0);
        CHECK_OK(sem_post(&s->sem[!side]));
        while (sem_wait(&s->sem[side]) == -1)
            CHECK_EQ(errno, EINTR);
    }
    return arg;
}

static void *end_process(void *arg) {
    lock_robust();
    _exit(*(int *)arg);
}

static void run_side(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(work, NULL);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}

static void init(void) {
    pthread_mutexattr_t ma;
    pthread_condattr_t ca;
    pthread_barrierattr_t ba;
    CHECK_RC(pthread_mutexattr_init(&ma), 0);
    CHECK_RC(pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_mutex_init(&s->mutex, &ma), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_RC(pthread_mutex_init(&s->robust, &ma), 0);
    CHECK_RC(pthread_condattr_init(&ca), 0);
    CHECK_RC(pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_cond_init(&s->cond, &ca), 0);
    CHECK_RC(pthread_barrierattr_init(&ba), 0);
    CHECK_RC(pthread_barrierattr_setpshared(&ba, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_barrier_init(&s->barrier, &ba, 2 * THREADS), 0);
    CHECK_OK(sem_init(&s->sem[0], 1, 0));
    CHECK_OK(sem_init(&s->sem[1], 1, 0));
}

int main(int argc, char **argv) {
    int fd = argc > 1 ? atoi(argv[1]) : memfd_create("shared", 0);
    CHECK_OK(fd);
    CHECK_OK(ftruncate(fd, sizeof *s));
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(s != MAP_FAILED);
    if (argc > 1) {
        side = 1;
        run_side();
        // The process ends while a thread of it that is not main holds the lock.
        int status = 7;
        pthread_join(spawn(end_process, &status), NULL);
        return 1;
    }
    // With the shim on both sides, on one and on the other.
    for (int native_child = 0; native_child < 2; native_child++) {
        memset(s, 0, sizeof *s);
        init();
        fflush(NULL);
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            char number[16];
            snprintf(number, sizeof number, "%d", fd);
            if (native_child)
                CHECK_OK(unsetenv("LD_PRELOAD"));
            execl("/proc/self/exe", argv[0], number, (char *)NULL);
            CHECK_FAIL("exec failed");
        }
        run_side();
        int deaths = 2 * THREADS * ROUNDS / 10;
        EVENTUALLY(({
            lock_robust();
            int all = s->deaths == deaths + 1;
            CHECK_RC(pthread_mutex_unlock(&s->robust), 0);
            all;
        }));
        int status = wait_child(pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        CHECK_EQ(s->counter, 2 * THREADS * ROUNDS);
    }
    return 0;
}
