// Who waits with a higher priority is woken first, by semaphores, condition variables and futexes; among equals, who came first. Ordinary threads come last.
#include "check.h"
#include <limits.h>
#include <linux/futex.h>
#include <semaphore.h>

enum { THREADS = 8 };
static const int priorities[THREADS] = {3, 0, 7, 3, 0, 9, 7, 1};
static const int expected[THREADS] = {5, 2, 6, 0, 3, 7, 1, 4};
static sem_t sem, done;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int word, order[THREADS], arrived, waiting, kind;

static long futex(int op, int value) { return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0); }

static void *wait_for_it(void *arg) {
    __atomic_add_fetch(&waiting, 1, __ATOMIC_SEQ_CST);
    if (kind == 0) {
        CHECK_OK(sem_wait(&sem));
    } else if (kind == 1) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        CHECK_RC(pthread_cond_wait(&cond, &mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    } else {
        CHECK_OK(futex(FUTEX_WAIT, 0));
    }
    order[__atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST)] = (int)(long)arg;
    CHECK_OK(sem_post(&done));
    return NULL;
}

static void run(int k) {
    kind = k;
    arrived = 0;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        pthread_attr_t attr;
        struct sched_param param = {.sched_priority = priorities[i]};
        CHECK_RC(pthread_attr_init(&attr), 0);
        CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
        CHECK_RC(pthread_attr_setschedpolicy(&attr, priorities[i] == 0 ? SCHED_OTHER : SCHED_FIFO), 0);
        CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
        waiting = 0;
        CHECK_RC(pthread_create(&threads[i], &attr, wait_for_it, (void *)(long)i), 0);
        CHECK_RC(pthread_attr_destroy(&attr), 0);
        // On our processor, below our priority: it runs while we sleep, and waits by the time we wake up.
        EVENTUALLY(__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == 1);
        sleep_ms(20);
    }
    for (int i = 0; i < THREADS; i++) {
        if (kind == 0) {
            CHECK_OK(sem_post(&sem));
        } else if (kind == 1) {
            CHECK_RC(pthread_mutex_lock(&mutex), 0);
            CHECK_RC(pthread_cond_signal(&cond), 0);
            CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        } else {
            CHECK_EQ(futex(FUTEX_WAKE, 1), 1);
        }
        CHECK_OK(sem_wait(&done));
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    for (int i = 0; i < THREADS; i++) {
        // Condition variables have two groups of waiters; who was there before the first signal is in one.
        CHECK_EQ(order[i], expected[i]);
    }
}

static void *run_all(void *arg) {
    for (int k = 0; k < 3; k++)
        run(k);
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_OK(sem_init(&done, 0, 0));
    cpu_set_t set;
    CPU_ZERO(&set);
    int cpu = sched_getcpu();
    CHECK(cpu >= 0);
    CPU_SET(cpu, &set);
    CHECK_OK(sched_setaffinity(0, sizeof set, &set));
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = 20};
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    pthread_t t;
    int rc = pthread_create(&t, &attr, run_all, NULL);
    if (rc == EPERM)
        SKIP("no right to real-time priorities");
    CHECK_RC(rc, 0);
    join_thread(t);
    return 0;
}
