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

#endif
