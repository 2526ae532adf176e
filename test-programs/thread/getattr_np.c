// pthread_getattr_np of main, of oneself and of another parked thread names a stack that holds that thread's locals.
#include "check.h"
#include <semaphore.h>

static sem_t ready, hold;
static void *a_local;

static void holds(pthread_t t, void *local) {
    pthread_attr_t attr;
    void *addr;
    size_t size;
    CHECK_RC(pthread_getattr_np(t, &attr), 0);
    CHECK_RC(pthread_attr_getstack(&attr, &addr, &size), 0);
    CHECK((char *)local >= (char *)addr && (char *)local < (char *)addr + size);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

static void *park(void *arg) {
    int local = 0;
    a_local = &local;
    holds(pthread_self(), &local);
    sem_post(&ready);
    sem_wait(&hold);
    return arg;
}

int main(void) {
    int local = 0;
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    holds(pthread_self(), &local);
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));
    holds(t, a_local);
    holds(pthread_self(), &local);
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    return 0;
}
