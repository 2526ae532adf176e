// Under SCHED_FIFO on one CPU whoever makes a thread of higher priority ready, by creating it or by waking it, goes on only after that one has blocked again.
#include "check.h"
#include <semaphore.h>

static sem_t gate;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int at, turn;

static void *higher(void *arg) {
    at = 1;
    CHECK_OK(sem_wait(&gate));
    at = 2;
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    while (turn == 0)
        CHECK_RC(pthread_cond_wait(&condition, &mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    at = 3;
    return arg;
}

static void make(pthread_t *thread, int priority, void *(*body)(void *)) {
    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = priority};
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    int rc = pthread_create(thread, &attr, body, NULL);
    if (rc == EPERM)
        SKIP("no right to real-time priorities");
    CHECK_RC(rc, 0);
}

static void *lower(void *arg) {
    pthread_t thread;
    make(&thread, 9, higher);
    CHECK_EQ(at, 1);
    CHECK_OK(sem_post(&gate));
    CHECK_EQ(at, 2);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    turn = 1;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(at, 2);
    CHECK_RC(pthread_cond_signal(&condition), 0);
    CHECK_EQ(at, 3);
    join_thread(thread);
    return arg;
}

int main(void) {
    cpu_set_t set;
    CHECK_OK(sem_init(&gate, 0, 0));
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    CHECK_OK(sched_setaffinity(0, sizeof set, &set));
    pthread_t thread;
    make(&thread, 5, lower);
    join_thread(thread);
    return 0;
}
