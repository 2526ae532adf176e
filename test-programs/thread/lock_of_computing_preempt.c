// A thread that takes and gives back a mutex without end, and never blocks, lets everybody else have it in time.
#include "check.h"

enum { THREADS = 200, ROUNDS = 2 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int through;

static void *visit(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        through++;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return arg;
}

int main(void) {
    pthread_t threads[THREADS];
    alarm(20); // for a stuck program
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(visit, NULL);
    int seen;
    do {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        // Most of the time of each round belongs to the one who holds the lock.
        for (volatile int i = 0; i < 2000; i++) {
        }
        seen = through;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    } while (seen < THREADS * ROUNDS);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
