// Semaphores: wait, trywait (EAGAIN), timedwait and clockwait (ETIMEDOUT, EINVAL), getvalue, overflow (EOVERFLOW), and 100 threads that pass 10 permits around.
#include "check.h"
#include <limits.h>
#include <semaphore.h>

static sem_t sem, permits;
static int inside, most;

static void *post_later(void *arg) {
    sleep_ms(10);
    CHECK_OK(sem_post(&sem));
    return arg;
}

static void *use_permit(void *arg) {
    for (int i = 0; i < 10; i++) {
        CHECK_OK(sem_wait(&permits));
        int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        CHECK(now <= 10);
        if (now > most)
            most = now;
        sched_yield();
        if (i == 3)
            sleep_ms(1);
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        CHECK_OK(sem_post(&permits));
    }
    return arg;
}

int main(void) {
    int value;
    CHECK_ERR(sem_init(&sem, 0, (unsigned)SEM_VALUE_MAX + 1u), EINVAL);
    CHECK_OK(sem_init(&sem, 0, SEM_VALUE_MAX));
    CHECK_ERR(sem_post(&sem), EOVERFLOW);
    CHECK_OK(sem_destroy(&sem));
    CHECK_OK(sem_init(&sem, 0, 2));
    CHECK_OK(sem_wait(&sem));
    CHECK_OK(sem_trywait(&sem));
    CHECK_ERR(sem_trywait(&sem), EAGAIN);
    CHECK_OK(sem_getvalue(&sem, &value));
    CHECK_EQ(value, 0);

    struct timespec soon = deadline_in(CLOCK_REALTIME, 15);
    CHECK_ERR(sem_timedwait(&sem, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    soon = deadline_in(CLOCK_MONOTONIC, 15);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_THREAD_CPUTIME_ID, &soon), EINVAL);
    struct timespec bad = {0, 1000000000};
    CHECK_ERR(sem_timedwait(&sem, &bad), EINVAL);
    bad.tv_nsec = -1;
    CHECK_ERR(sem_timedwait(&sem, &bad), EINVAL);
    struct timespec past = {0, 0};
    CHECK_ERR(sem_timedwait(&sem, &past), ETIMEDOUT);
    CHECK_OK(sem_post(&sem));
    CHECK_OK(sem_timedwait(&sem, &past));

    pthread_t t = spawn(post_later, NULL);
    CHECK_OK(sem_wait(&sem));
    join_thread(t);
    t = spawn(post_later, NULL);
    struct timespec late = deadline_in(CLOCK_REALTIME, 60000);
    CHECK_OK(sem_timedwait(&sem, &late));
    join_thread(t);
    t = spawn(post_later, NULL);
    late = deadline_in(CLOCK_MONOTONIC, 60000);
    CHECK_OK(sem_clockwait(&sem, CLOCK_MONOTONIC, &late));
    join_thread(t);
    CHECK_OK(sem_destroy(&sem));

    CHECK_OK(sem_init(&permits, 0, 10));
    pthread_t threads[100];
    for (int i = 0; i < 100; i++)
        threads[i] = spawn(use_permit, NULL);
    for (int i = 0; i < 100; i++)
        join_thread(threads[i]);
    CHECK_EQ(inside, 0);
    CHECK(most > 1);
    CHECK_OK(sem_getvalue(&permits, &value));
    CHECK_EQ(value, 10);
    return 0;
}
