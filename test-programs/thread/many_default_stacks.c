// 2,000 threads with the default stack size live at once and each uses 64 KiB of its stack; most of that memory is given back after they are joined.
#include "check.h"

enum { THREADS = 2000 };

static pthread_barrier_t barrier;

static void *use_stack(void *arg) {
    volatile char block[64 * 1024];
    for (size_t i = 0; i < sizeof block; i += 1024)
        block[i] = (char)(uintptr_t)arg;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (size_t i = 0; i < sizeof block; i += 1024)
        CHECK_EQ(block[i], (char)(uintptr_t)arg);
    return NULL;
}

int main(void) {
    static pthread_t threads[THREADS];
    CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    long before_kb = rss_kb();
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(use_stack, (void *)i);
    pthread_barrier_wait(&barrier);
    CHECK(rss_kb() - before_kb >= THREADS * 64);
    CHECK_ONE_KERNEL_THREAD();
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK(rss_kb() - before_kb < THREADS * 40);
    return 0;
}
