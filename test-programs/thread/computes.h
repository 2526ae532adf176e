// Threads that compute until they are told to stop, and are counted as they begin.
#ifndef COMPUTES_H
#define COMPUTES_H

#include "check.h"

static _Atomic int stop, started;

static void *compute(void *arg) {
    uintptr_t number = (uintptr_t)arg;
    started++;
    while (!stop)
        number = number * 6364136223846793005u + 1; // or it would look like one that only waits
    return (void *)number;
}

// So many of them, on small stacks.
static void make_computing(pthread_t *threads, int count) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 65536), 0);
    for (uintptr_t i = 0; i < (uintptr_t)count; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, compute, (void *)i), 0);
}

static void end_computing(pthread_t *threads, int count) {
    stop = 1;
    for (int i = 0; i < count; i++)
        join_thread(threads[i]);
}

#endif
