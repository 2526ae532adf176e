// pthread_cond_signal wakes a waiter, which holds the mutex again; a chain of hand-overs loses no wake-up.
#include "check.h"

enum { THREADS = 32, ROUNDS = 50 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t conds[THREADS];
static long turn, total;

static void *take_turns(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        while (turn != me)
            CHECK_RC(pthread_cond_wait(&conds[me], &mutex), 0);
        CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
        total++;
        turn = (me + 1) % THREADS;
        CHECK_RC(pthread_cond_signal(&conds[turn]), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK_RC(pthread_cond_init(&conds[i], NULL), 0);
    // Nobody waits: without effect.
    CHECK_RC(pthread_cond_signal(&conds[0]), 0);
    CHECK_RC(pthread_cond_broadcast(&conds[0]), 0);
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(take_turns, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK_EQ(total, THREADS * ROUNDS);
    for (int i = 0; i < THREADS; i++)
        CHECK_RC(pthread_cond_destroy(&conds[i]), 0);
    return 0;
}
