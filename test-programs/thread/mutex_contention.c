// Many threads contend for one mutex, inside and outside of which they block and yield: no update is lost and everybody gets through.
#include "check.h"

enum { THREADS = 64, ROUNDS = 300 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter, inside;

static void *work(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(inside++, 0);
        long before = counter;
        if ((me + i) % 8 == 0)
            sched_yield();
        if ((me + i) % 150 == 0)
            sleep_ms(1);
        counter = before + 1;
        CHECK_EQ(--inside, 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        if (i % 5 == 0)
            sched_yield();
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(work, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK_EQ(counter, THREADS * ROUNDS);
    return 0;
}
