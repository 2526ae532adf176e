// A condition variable may be destroyed, and its memory reused, right after the broadcast that released its waiters.
#include "check.h"

enum { THREADS = 8 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t *cond;
static int waiting, go;

static void *wait_for_go(void *arg) {
    pthread_mutex_lock(&mutex);
    waiting++;
    while (!go)
        pthread_cond_wait(cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return arg;
}

int main(void) {
    for (int round = 0; round < 100; round++) {
        pthread_t threads[THREADS];
        cond = malloc(sizeof *cond);
        CHECK_RC(pthread_cond_init(cond, NULL), 0);
        waiting = go = 0;
        for (int i = 0; i < THREADS; i++)
            threads[i] = spawn(wait_for_go, NULL);
        for (;;) {
            pthread_mutex_lock(&mutex);
            if (waiting == THREADS)
                break;
            pthread_mutex_unlock(&mutex);
            sched_yield();
        }
        go = 1;
        pthread_cond_broadcast(cond);
        pthread_mutex_unlock(&mutex);
        CHECK_RC(pthread_cond_destroy(cond), 0);
        memset(cond, 0xff, sizeof *cond);
        free(cond);
        for (int i = 0; i < THREADS; i++)
            join_thread(threads[i]);
    }
    return 0;
}
