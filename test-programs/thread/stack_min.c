// Threads on PTHREAD_STACK_MIN bytes block in read, nanosleep, a semaphore and a condition, and come back.
#include "check.h"
#include <limits.h>
#include <semaphore.h>

static int pipe_ends[2];
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int told;

static void *block(void *arg) {
    char c = 0;
    if (read(pipe_ends[0], &c, 1) != 1 || c != 'x')
        return NULL;
    struct timespec ts = {0, 1000000};
    if (nanosleep(&ts, NULL) != 0 || sem_wait(&sem) != 0)
        return NULL;
    pthread_mutex_lock(&mutex);
    while (!told)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return arg;
}

int main(void) {
    enum { THREADS = 50 };
    pthread_t threads[THREADS];
    CHECK_OK(pipe(pipe_ends));
    CHECK_OK(sem_init(&sem, 0, 0));
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN), 0);
    for (long i = 0; i < THREADS; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, block, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(write(pipe_ends[1], "x", 1), 1);
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(sem_post(&sem));
    sleep_ms(5);
    pthread_mutex_lock(&mutex);
    told = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (long i = 0; i < THREADS; i++)
        CHECK_EQ((long)join_thread(threads[i]), i + 1);
    return 0;
}
