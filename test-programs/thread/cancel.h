// Cancels a thread in each of a list of blocking calls: once while it is in there, once before it gets there.
#ifndef CANCEL_H
#define CANCEL_H

#include "check.h"

struct cancel_point {
    const char *name;
    void (*block)(void);
    void (*after)(void); // in main, once the thread has been joined; may be NULL
};

struct cancel_run {
    const struct cancel_point *point;
    int before, entered, cancelled, cleaned;
};

static void cancel_cleanup(void *arg) {
    struct cancel_run *run = arg;
    // A handler may block.
    sched_yield();
    run->cleaned++;
}

static void *cancel_thread(void *arg) {
    struct cancel_run *run = arg;
    pthread_cleanup_push(cancel_cleanup, run);
    if (run->before) {
        CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL), 0);
        __atomic_store_n(&run->entered, 1, __ATOMIC_SEQ_CST);
        EVENTUALLY(__atomic_load_n(&run->cancelled, __ATOMIC_SEQ_CST));
        CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL), 0);
    } else {
        __atomic_store_n(&run->entered, 1, __ATOMIC_SEQ_CST);
    }
    run->point->block();
    pthread_cleanup_pop(0);
    CHECK_FAIL("%s returned (errno %d, %s)", run->point->name, errno, strerror(errno));
}

static void cancel_each(const struct cancel_point *points, size_t n, const char *only) {
    for (size_t i = 0; i < n; i++) {
        if (only != NULL && strcmp(only, points[i].name) != 0)
            continue;
        for (int before = 0; before < 2; before++) {
            struct cancel_run run = {.point = &points[i], .before = before};
            pthread_t t = spawn(cancel_thread, &run);
            EVENTUALLY(__atomic_load_n(&run.entered, __ATOMIC_SEQ_CST));
            if (!before)
                sleep_ms(3);
            CHECK_RC(pthread_cancel(t), 0);
            __atomic_store_n(&run.cancelled, 1, __ATOMIC_SEQ_CST);
            if (join_thread(t) != PTHREAD_CANCELED)
                CHECK_FAIL("%s was not cancelled", points[i].name);
            if (run.cleaned != 1)
                CHECK_FAIL("%s: cleanup handler ran %d times", points[i].name, run.cleaned);
            if (points[i].after != NULL)
                points[i].after();
        }
    }
}

// One entry may be named on the command line.
#define CANCEL_EACH(points) cancel_each(points, sizeof(points) / sizeof *(points), argc > 1 ? argv[1] : NULL)

#endif
