// What a preempted thread needed beside its stack does not stay behind when it has ended: of many alive at once, each is preempted in its turn.
#include "check.h"
#include <semaphore.h>
#include <stdatomic.h>

enum { THREADS = 1000 };

static sem_t begin[THREADS];
static atomic_int spinning, go_on;

static void *spins(void *arg) {
    CHECK_OK(sem_wait(arg));
    spinning = 1;
    while (!go_on)
        __builtin_ia32_pause();
    return NULL;
}

int main(void) {
    static pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(sem_init(&begin[i], 0, 0));
    // What the first threads need is there before the measurement.
    CHECK_OK(sem_post(&begin[0]));
    go_on = 1;
    join_thread(spawn(spins, &begin[0]));
    long before_kb = rss_kb();
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(spins, &begin[i]);
    for (int i = 0; i < THREADS; i++) {
        spinning = go_on = 0;
        CHECK_OK(sem_post(&begin[i]));
        while (!spinning)
            sched_yield();
        go_on = 1;
        join_thread(threads[i]);
    }
    EVENTUALLY(rss_kb() - before_kb < 5 * THREADS);
    return 0;
}
