// Producers and consumers over a bounded queue with two condition variables: every item arrives once, none is lost.
#include "check.h"

enum { PRODUCERS = 10, CONSUMERS = 10, ITEMS = 500, ROOM = 4 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static int queue[ROOM], head, count, taken;
static char seen[PRODUCERS * ITEMS];

static void *produce(void *arg) {
    for (int i = 0; i < ITEMS; i++) {
        pthread_mutex_lock(&mutex);
        while (count == ROOM)
            pthread_cond_wait(&not_full, &mutex);
        queue[(head + count++) % ROOM] = (int)(long)arg * ITEMS + i;
        pthread_cond_signal(&not_empty);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *consume(void *arg) {
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&mutex);
        while (count == 0 && taken < PRODUCERS * ITEMS) {
            struct timespec later = deadline_in(CLOCK_REALTIME, 30000);
            CHECK_RC(pthread_cond_timedwait(&not_empty, &mutex, &later), 0);
        }
        if (taken == PRODUCERS * ITEMS) {
            pthread_mutex_unlock(&mutex);
            return NULL;
        }
        CHECK_EQ(seen[queue[head]], 0);
        seen[queue[head]] = 1;
        head = (head + 1) % ROOM;
        count--;
        if (++taken == PRODUCERS * ITEMS)
            pthread_cond_broadcast(&not_empty);
        pthread_cond_signal(&not_full);
        pthread_mutex_unlock(&mutex);
    }
}

int main(void) {
    pthread_t threads[PRODUCERS + CONSUMERS];
    for (long i = 0; i < CONSUMERS; i++)
        threads[i] = spawn(consume, NULL);
    for (long i = 0; i < PRODUCERS; i++)
        threads[CONSUMERS + i] = spawn(produce, (void *)i);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        join_thread(threads[i]);
    CHECK_EQ(taken, PRODUCERS * ITEMS);
    for (int i = 0; i < PRODUCERS * ITEMS; i++)
        CHECK_EQ(seen[i], 1);
    return 0;
}
