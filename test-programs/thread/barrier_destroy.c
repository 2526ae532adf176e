// The thread that a barrier releases first may destroy it and reuse its memory while the others are still leaving.
#include "check.h"

enum { THREADS = 8 };
static pthread_barrier_t *barrier;

static void *leave(void *arg) {
    if (pthread_barrier_wait(barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
        CHECK_RC(pthread_barrier_destroy(barrier), 0);
        memset(barrier, 0xff, sizeof *barrier);
        free(barrier);
    }
    return arg;
}

int main(void) {
    for (int round = 0; round < 100; round++) {
        barrier = malloc(sizeof *barrier);
        CHECK_RC(pthread_barrier_init(barrier, NULL, THREADS), 0);
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++)
            threads[i] = spawn(leave, NULL);
        for (int i = 0; i < THREADS; i++)
            join_thread(threads[i]);
    }
    return 0;
}
