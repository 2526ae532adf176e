// Threads that the program makes by clone itself and libc's threads pass items to each other through a mutex with two conditions, semaphores and a barrier, in both directions: none is lost and nobody waits for ever.
#include "rules/foreign.h"
#include <semaphore.h>

enum { FOREIGN = 2, OWN = 3, ITEMS = 1500, ROOM = 4, ALL = FOREIGN + OWN };

// A queue with little room, so that both sides wait.
struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled, emptied;
    int count;
    long items[ROOM];
};
#define QUEUE {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, {0}}
static struct queue there = QUEUE, back = QUEUE;
static sem_t turn[2];
static pthread_barrier_t barrier;
static int sums[ALL], serial;

static void put(struct queue *q, long item) {
    CHECK_RC(pthread_mutex_lock(&q->mutex), 0);
    while (q->count == ROOM)
        CHECK_RC(pthread_cond_wait(&q->emptied, &q->mutex), 0);
    q->items[q->count++] = item;
    CHECK_RC(pthread_cond_signal(&q->filled), 0);
    CHECK_RC(pthread_mutex_unlock(&q->mutex), 0);
}

static long take(struct queue *q) {
    CHECK_RC(pthread_mutex_lock(&q->mutex), 0);
    while (q->count == 0)
        CHECK_RC(pthread_cond_wait(&q->filled, &q->mutex), 0);
    long item = q->items[--q->count];
    CHECK_RC(pthread_cond_signal(&q->emptied), 0);
    CHECK_RC(pthread_mutex_unlock(&q->mutex), 0);
    return item;
}

static void wait_for(sem_t *sem) {
    while (sem_wait(sem) != 0)
        CHECK_EQ(errno, EINTR);
}

static void meet(long me) {
    for (int i = 0; i < 100; i++) {
        sums[me]++;
        int rc = pthread_barrier_wait(&barrier);
        if (rc == PTHREAD_BARRIER_SERIAL_THREAD) {
            __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
            for (int j = 0; j < ALL; j++)
                CHECK_EQ(sums[j], i + 1);
        }
        rc = pthread_barrier_wait(&barrier);
        CHECK(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
    }
}

static void *foreign(void *arg) {
    for (long item; (item = take(&there)) != 0;)
        put(&back, item);
    for (int i = 0; (long)arg == 0 && i < ITEMS; i++) {
        wait_for(&turn[0]);
        CHECK_OK(sem_post(&turn[1]));
    }
    meet((long)arg);
    return NULL;
}

static void *put_all(void *arg) {
    for (long i = 1; i <= ITEMS; i++)
        put(&there, i);
    return arg;
}

static void *take_all(void *arg) {
    long sum = 0;
    for (int i = 0; i < 2 * ITEMS; i++)
        sum += take(&back);
    // Two threads put, one takes.
    CHECK_EQ(sum, (long)ITEMS * (ITEMS + 1));
    return arg;
}

static void *meet_others(void *arg) {
    meet((long)arg);
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&turn[0], 0, 0));
    CHECK_OK(sem_init(&turn[1], 0, 0));
    CHECK_RC(pthread_barrier_init(&barrier, NULL, ALL), 0);
    pthread_t t[OWN] = {spawn(put_all, NULL), spawn(put_all, NULL), spawn(take_all, NULL)};
    static struct foreign f[FOREIGN];
    for (long i = 0; i < FOREIGN; i++)
        foreign_spawn(&f[i], foreign, (void *)i);
    if (preloaded())
        CHECK_EQ(kernel_threads(), 1 + FOREIGN);
    for (int i = 0; i < OWN; i++)
        join_thread(t[i]);
    for (int i = 0; i < FOREIGN; i++)
        put(&there, 0);
    for (int i = 0; i < ITEMS; i++) {
        CHECK_OK(sem_post(&turn[0]));
        wait_for(&turn[1]);
    }
    for (long i = 0; i < OWN; i++)
        t[i] = spawn(meet_others, (void *)(FOREIGN + i));
    for (int i = 0; i < OWN; i++)
        join_thread(t[i]);
    for (int i = 0; i < FOREIGN; i++)
        foreign_join(&f[i]);
    CHECK_EQ(serial, 100);
    return 0;
}
