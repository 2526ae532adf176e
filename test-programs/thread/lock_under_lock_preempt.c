// Threads that take turns under one lock, as an interpreter's do, and poll another let everybody have that one in time.
#include "check.h"
#include <semaphore.h>
#include <stdbool.h>

enum { POLLERS = 6, VISITORS = 6, VISITS = 50, INTERVAL_NS = 5000000 };

// The interpreter's lock: who has waited for it for an interval asks for it, and who gives it away on request waits until
// somebody else has it.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, switch_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER, taken = PTHREAD_COND_INITIALIZER;
static bool locked, requested;
static pthread_t last;
static unsigned long switches;

static sem_t polled;
static int through;

static void take(void) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    while (locked) {
        unsigned long seen = switches;
        struct timespec until = ns_to_timespec(now_ns(CLOCK_MONOTONIC) + INTERVAL_NS);
        int rc = pthread_cond_clockwait(&given, &mutex, CLOCK_MONOTONIC, &until);
        if (rc == ETIMEDOUT && locked && switches == seen)
            __atomic_store_n(&requested, true, __ATOMIC_SEQ_CST);
    }
    CHECK_RC(pthread_mutex_lock(&switch_mutex), 0);
    locked = true;
    if (!pthread_equal(last, pthread_self()))
        switches++;
    last = pthread_self();
    CHECK_RC(pthread_cond_signal(&taken), 0);
    CHECK_RC(pthread_mutex_unlock(&switch_mutex), 0);
    __atomic_store_n(&requested, false, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}

static void give(bool forced) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    locked = false;
    CHECK_RC(pthread_cond_signal(&given), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    if (forced) {
        CHECK_RC(pthread_mutex_lock(&switch_mutex), 0);
        if (pthread_equal(last, pthread_self()))
            CHECK_RC(pthread_cond_wait(&taken, &switch_mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&switch_mutex), 0);
    }
}

static void check_requests(void) {
    if (__atomic_load_n(&requested, __ATOMIC_RELAXED)) {
        give(true);
        take();
    }
}

static void compute(int n) {
    for (volatile int i = 0; i < n; i++) {
    }
}

// One round of a loop in the interpreted language: with a lock of its own, taken under the interpreter's.
static void use_polled(void) {
    if (sem_trywait(&polled) == -1) {
        give(false);
        while (sem_wait(&polled) == -1)
            CHECK_EQ(errno, EINTR);
        take();
    }
    compute(300);
    check_requests();
    compute(300);
    CHECK_OK(sem_post(&polled));
    compute(300);
    check_requests();
}

static void *poll_lock(void *arg) {
    take();
    while (through < VISITORS * VISITS)
        use_polled();
    give(false);
    return arg;
}

static void *visit(void *arg) {
    take();
    for (int i = 0; i < VISITS; i++) {
        use_polled();
        through++;
    }
    give(false);
    return arg;
}

int main(void) {
    pthread_t threads[POLLERS + VISITORS];
    alarm(20); // for a stuck program
    CHECK_OK(sem_init(&polled, 0, 1));
    for (int i = 0; i < POLLERS; i++)
        threads[i] = spawn(poll_lock, NULL);
    for (int i = 0; i < VISITORS; i++)
        threads[POLLERS + i] = spawn(visit, NULL);
    for (int i = 0; i < POLLERS + VISITORS; i++)
        join_thread(threads[i]);
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
