// Spin locks that are held for short whiles without blocking count right; trylock is EBUSY while another holds it.
#include "check.h"
#include <semaphore.h>

static pthread_spinlock_t lock;
static long counter;
static sem_t held, release;

static void *count(void *arg) {
    for (int i = 0; i < 2000; i++) {
        CHECK_RC(pthread_spin_lock(&lock), 0);
        counter++;
        CHECK_RC(pthread_spin_unlock(&lock), 0);
        if (i % 50 == 0)
            sched_yield();
    }
    return arg;
}

static void *hold(void *arg) {
    CHECK_RC(pthread_spin_trylock(&lock), 0);
    sem_post(&held);
    sem_wait(&release);
    CHECK_RC(pthread_spin_unlock(&lock), 0);
    return arg;
}

int main(void) {
    CHECK_RC(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE), 0);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        threads[i] = spawn(count, NULL);
    for (int i = 0; i < 8; i++)
        join_thread(threads[i]);
    CHECK_EQ(counter, 16000);
    sem_init(&held, 0, 0);
    sem_init(&release, 0, 0);
    pthread_t t = spawn(hold, NULL);
    sem_wait(&held);
    CHECK_RC(pthread_spin_trylock(&lock), EBUSY);
    sem_post(&release);
    join_thread(t);
    CHECK_RC(pthread_spin_trylock(&lock), 0);
    CHECK_RC(pthread_spin_unlock(&lock), 0);
    CHECK_RC(pthread_spin_destroy(&lock), 0);
    return 0;
}
