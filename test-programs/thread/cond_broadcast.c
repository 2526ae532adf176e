// pthread_cond_broadcast wakes all of 500 waiters; n signals wake at least n and leave the others waiting until their own.
#include "check.h"

enum { THREADS = 500 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER, changed = PTHREAD_COND_INITIALIZER;
static int waiting, permits, through;

static void *wait_for_permit(void *arg) {
    pthread_mutex_lock(&mutex);
    waiting++;
    pthread_cond_signal(&changed);
    while (permits == 0)
        pthread_cond_wait(&cond, &mutex);
    permits--;
    through++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
    return arg;
}

int main(void) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(wait_for_permit, NULL);
    pthread_mutex_lock(&mutex);
    while (waiting < THREADS)
        pthread_cond_wait(&changed, &mutex);
    CHECK_EQ(through, 0);
    permits = 7;
    for (int i = 0; i < 7; i++)
        pthread_cond_signal(&cond);
    while (through < 7)
        pthread_cond_wait(&changed, &mutex);
    CHECK_EQ(permits, 0);
    CHECK_EQ(through, 7);
    permits = THREADS - 7;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    CHECK_EQ(through, THREADS);
    CHECK_RC(pthread_cond_destroy(&cond), 0);
    return 0;
}
