// A key's destructor may sleep, lock, wait for another thread and create one; join returns only after it.
#include "check.h"
#include <semaphore.h>

static pthread_key_t key;
static sem_t go;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int done;

static void *helper(void *arg) { return arg; }

static void destroy(void *value) {
    (void)value;
    sleep_ms(2);
    CHECK_EQ((long)join_thread(spawn(helper, (void *)3)), 3);
    while (sem_wait(&go) == -1)
        CHECK_EQ(errno, EINTR);
    pthread_mutex_lock(&mutex);
    done++;
    pthread_mutex_unlock(&mutex);
}

static void *use(void *arg) {
    CHECK_RC(pthread_setspecific(key, arg), 0);
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&go, 0, 0));
    CHECK_RC(pthread_key_create(&key, destroy), 0);
    pthread_t threads[30];
    for (int i = 0; i < 30; i++)
        threads[i] = spawn(use, &done);
    sleep_ms(10);
    CHECK_EQ(done, 0);
    for (int i = 0; i < 30; i++)
        CHECK_OK(sem_post(&go));
    for (int i = 0; i < 30; i++)
        join_thread(threads[i]);
    CHECK_EQ(done, 30);
    return 0;
}
