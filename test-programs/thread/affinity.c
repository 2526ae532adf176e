// CPU affinity per thread: set and read by pthread_setaffinity_np and sched_setaffinity with the tid, inherited, EINVAL for an empty set, ESRCH for no thread.
#include "check.h"
#include <semaphore.h>

static cpu_set_t all, one, none;
static sem_t ready, hold;
static pid_t tid;

static void expect(const cpu_set_t *want) {
    cpu_set_t got;
    CHECK_RC(pthread_getaffinity_np(pthread_self(), sizeof got, &got), 0);
    CHECK(CPU_EQUAL(&got, want));
    CHECK_OK(sched_getaffinity(0, sizeof got, &got));
    CHECK(CPU_EQUAL(&got, want));
}

static void *inherits(void *arg) {
    expect(arg);
    return NULL;
}

static void *park(void *arg) {
    expect(&all);
    CHECK_RC(pthread_setaffinity_np(pthread_self(), sizeof one, &one), 0);
    expect(&one);
    tid = gettid();
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    expect(&one);
    join_thread(spawn(inherits, &one));
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    expect(&all);
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    CHECK_OK(sched_getaffinity(0, sizeof all, &all));
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&none);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));
    expect(&all);
    cpu_set_t got;
    CHECK_RC(pthread_getaffinity_np(t, sizeof got, &got), 0);
    CHECK(CPU_EQUAL(&got, &one));
    CHECK_OK(sched_getaffinity(tid, sizeof got, &got));
    CHECK(CPU_EQUAL(&got, &one));
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_wait(&ready));
    CHECK_OK(sched_setaffinity(tid, sizeof all, &all));
    CHECK_RC(pthread_getaffinity_np(t, sizeof got, &got), 0);
    CHECK(CPU_EQUAL(&got, &all));
    CHECK_RC(pthread_setaffinity_np(t, sizeof none, &none), EINVAL);
    CHECK_ERR(sched_setaffinity(tid, sizeof none, &none), EINVAL);
    CHECK_ERR(sched_getaffinity(0x3ffffffe, sizeof got, &got), ESRCH);
    CHECK_ERR(sched_getaffinity(0, 1, &got), EINVAL);
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    CHECK(sched_getcpu() >= 0);
    return 0;
}
