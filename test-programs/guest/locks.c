// Tasks of another hub contend for mutexes, semaphores, condition variables, read-write locks and barriers: who waits lets who holds run.
#include "hub.h"
#include <semaphore.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t sem, empty;
static int inside, rounds, stage, readers, made;

static void contender(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        CHECK_EQ(inside++, 0);
        hub_pause();
        CHECK_EQ(inside--, 1);
        rounds++;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
}

static void impatient(void *arg) {
    (void)arg;
    CHECK_RC(pthread_mutex_lock(&second), 0);
    sleep_ms(100);
    CHECK_RC(pthread_mutex_unlock(&second), 0);
}

static void timed(void *arg) {
    (void)arg;
    hub_pause();
    struct timespec at = deadline_in(CLOCK_REALTIME, 20);
    CHECK_RC(pthread_mutex_timedlock(&second, &at), ETIMEDOUT);
    at = deadline_in(CLOCK_MONOTONIC, 20);
    CHECK_RC(pthread_mutex_clocklock(&second, CLOCK_MONOTONIC, &at), ETIMEDOUT);
    CHECK_RC(pthread_mutex_lock(&second), 0);
    CHECK_RC(pthread_mutex_unlock(&second), 0);
    at = deadline_in(CLOCK_REALTIME, 20);
    CHECK_ERR(sem_timedwait(&empty, &at), ETIMEDOUT);
}

static void poster(void *arg) {
    (void)arg;
    for (int i = 0; i < 50; i++) {
        CHECK_OK(sem_post(&sem));
        if (i % 10 == 0)
            hub_pause();
    }
}

static void taker(void *arg) {
    (void)arg;
    for (int i = 0; i < 50; i++)
        CHECK_OK(sem_wait(&sem));
}

// Three tasks take turns by one condition.
static void turner(void *arg) {
    int me = (int)(intptr_t)arg;
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    for (int i = 0; i < 10; i++) {
        while (stage % 3 != me)
            CHECK_RC(pthread_cond_wait(&cond, &mutex), 0);
        stage++;
        CHECK_RC(pthread_cond_broadcast(&cond), 0);
    }
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}

static void reader(void *arg) {
    (void)arg;
    CHECK_RC(pthread_rwlock_rdlock(&rwlock), 0);
    __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
    sleep_ms(20);
    __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_rwlock_unlock(&rwlock), 0);
}

static void writer(void *arg) {
    (void)arg;
    hub_pause();
    CHECK_RC(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_EQ(readers, 0);
    hub_pause();
    CHECK_EQ(readers, 0);
    CHECK_RC(pthread_rwlock_unlock(&rwlock), 0);
}

static void make(void) {
    sleep_ms(20);
    made++;
}

static void meet(void *arg) {
    (void)arg;
    CHECK_RC(pthread_once(&once, make), 0);
    CHECK_EQ(made, 1);
    for (int i = 0; i < 5; i++) {
        int rc = pthread_barrier_wait(&barrier);
        CHECK(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
    }
}

int main(void) {
    hub_init();
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_OK(sem_init(&empty, 0, 0));
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 4), 0);
    for (int i = 0; i < 5; i++)
        hub_spawn(contender, NULL);
    hub_run();
    CHECK_EQ(rounds, 100);
    hub_spawn(impatient, NULL);
    hub_spawn(timed, NULL);
    hub_spawn(taker, NULL);
    hub_spawn(taker, NULL);
    hub_spawn(poster, NULL);
    hub_spawn(poster, NULL);
    for (intptr_t i = 0; i < 3; i++)
        hub_spawn(turner, (void *)i);
    for (int i = 0; i < 3; i++)
        hub_spawn(reader, NULL);
    hub_spawn(writer, NULL);
    for (int i = 0; i < 3; i++)
        hub_spawn(reader, NULL);
    for (int i = 0; i < 4; i++)
        hub_spawn(meet, NULL);
    hub_run();
    CHECK_EQ(stage, 30);
    if (hub_is_guest)
        CHECK_EQ(kernel_threads(), 1);
    printf("%d waits\n", hub_waits);
}
