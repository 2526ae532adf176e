// Threads under SCHED_FIFO on one CPU run strictly by priority once the highest of them blocks.
#include "check.h"
#include <semaphore.h>

enum { THREADS = 8 };
static sem_t gate;
static int order[THREADS], arrived;

static void *arrive(void *arg) {
    CHECK_OK(sem_wait(&gate));
    order[arrived++] = (int)(long)arg;
    return NULL;
}

static void *run_all(void *arg) {
    cpu_set_t set;
    int cpu = sched_getcpu();
    CHECK(cpu >= 0);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK_RC(pthread_setaffinity_np(pthread_self(), sizeof set, &set), 0);
    pthread_t threads[THREADS];
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    static const int priorities[THREADS] = {3, 7, 1, 8, 2, 5, 4, 6};
    for (int i = 0; i < THREADS; i++) {
        struct sched_param param = {.sched_priority = priorities[i]};
        CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
        CHECK_RC(pthread_create(&threads[i], &attr, arrive, (void *)(long)priorities[i]), 0);
    }
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    // This one has the highest priority: nobody runs before it blocks, and all have been let through by then.
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(sem_post(&gate));
    CHECK_EQ(arrived, 0);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(order[i], THREADS - i);
    return arg;
}

int main(void) {
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
