// Kernel threads beside the one with the hub wake its tasks from their locks, are joined by them, and wait in the kernel themselves.
#include "hub.h"
#include <semaphore.h>

static sem_t to_thread, to_task;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int rounds, beside, inside, ready, ended;
static pthread_t joined;

static void *posting(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        CHECK_OK(sem_wait(&to_thread));
        rounds++;
        CHECK_OK(sem_post(&to_task));
    }
    return (void *)77;
}

static void asker(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        CHECK_OK(sem_post(&to_thread));
        CHECK_OK(sem_wait(&to_task));
    }
    void *result = NULL;
    CHECK_RC(pthread_join(joined, &result), 0);
    CHECK_EQ((intptr_t)result, 77);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void *contending(void *arg) {
    for (int i = 0; i < 200; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(inside++, 0);
        if (i % 50 == 0)
            sleep_ms(1);
        CHECK_EQ(inside--, 1);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    if (arg == NULL)
        return NULL;
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    ready = 1;
    CHECK_RC(pthread_cond_broadcast(&cond), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static void contender(void *arg) {
    contending(arg);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    while (!ready)
        CHECK_RC(pthread_cond_wait(&cond, &mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void counter(void *arg) {
    (void)arg;
    while (ended < 4) {
        beside++;
        hub_pause();
    }
}

int main(void) {
    hub_init();
    CHECK_OK(sem_init(&to_thread, 0, 0));
    CHECK_OK(sem_init(&to_task, 0, 0));
    joined = spawn(posting, NULL);
    pthread_t other = spawn(contending, (void *)1);
    hub_spawn(asker, NULL);
    for (int i = 0; i < 3; i++)
        hub_spawn(contender, NULL);
    hub_spawn(counter, NULL);
    hub_run();
    join_thread(other);
    CHECK_EQ(rounds, 200);
    CHECK(!hub_is_guest || beside > 0);
    printf("%d waits\n", hub_waits);
}
