// After a peak of threads that used much of their stacks the process is as small as before, though it goes on: memory goes back when it has nothing to do, and while it keeps making threads.
#include "check.h"

enum { THREADS = 600, USED_KB = 256 };

static pthread_barrier_t barrier;

static void *use_stack(void *arg) {
    volatile char block[USED_KB * 1024];
    for (size_t i = 0; i < sizeof block; i += 4096)
        block[i] = 1;
    if (arg != NULL) {
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void peak(void) {
    static pthread_t threads[THREADS];
    long before_kb = rss_kb();
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(use_stack, &barrier);
    pthread_barrier_wait(&barrier);
    CHECK(rss_kb() - before_kb > THREADS * (USED_KB - 40));
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}

int main(void) {
    CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    join_thread(spawn(use_stack, NULL));
    long before_kb = rss_kb();
    for (int round = 0; round < 3; round++) {
        peak();
        // Most of it at once, nearly all of it after a pause.
        CHECK(rss_kb() - before_kb < THREADS * 60);
        EVENTUALLY(rss_kb() - before_kb < 6 * 1024);
    }
    // One after another, and a few at a time, all deep.
    for (int i = 0; i < 300; i++)
        join_thread(spawn(use_stack, NULL));
    for (int i = 0; i < 30; i++) {
        pthread_t some[10];
        for (int j = 0; j < 10; j++)
            some[j] = spawn(use_stack, NULL);
        for (int j = 0; j < 10; j++)
            join_thread(some[j]);
    }
    CHECK(rss_kb() - before_kb < 20 * 1024);
    return 0;
}
