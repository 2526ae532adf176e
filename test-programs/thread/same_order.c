// With GREENPATCH_SLICE=0 a program without outside events runs in the same order each time: threads, locks, conditions, semaphores, barriers, yields.
#include "rerun.h"
#include <semaphore.h>

enum { THREADS = 12, ROUNDS = 40, RUNS = 6 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t permits;
static unsigned hash = 2166136261u, steps;
static int turn;

// Who comes here, in which order.
static void note(long who) {
    hash = (hash ^ (unsigned)who) * 16777619u;
    steps++;
}

static void *child(void *arg) {
    note(100 + (long)arg);
    return NULL;
}

static void *work(void *arg) {
    long me = (long)arg;
    unsigned random = (unsigned)me * 2654435761u + 1;
    for (int i = 0; i < ROUNDS; i++) {
        random = random * 1103515245u + 12345;
        note(me);
        switch (random >> 16 & 7) {
        case 0:
            sched_yield();
            break;
        case 1:
            CHECK_OK(sem_wait(&permits));
            note(me);
            sched_yield();
            CHECK_OK(sem_post(&permits));
            break;
        case 2:
            CHECK_RC(pthread_mutex_lock(&mutex), 0);
            turn++;
            CHECK_RC(pthread_cond_broadcast(&changed), 0);
            sched_yield();
            CHECK_RC(pthread_mutex_unlock(&mutex), 0);
            break;
        case 3:
            CHECK_RC(pthread_mutex_lock(&mutex), 0);
            note(turn);
            CHECK_RC(pthread_mutex_unlock(&mutex), 0);
            break;
        case 4:
            join_thread(spawn(child, arg));
            break;
        case 5: {
            pthread_t t = spawn(child, arg);
            sched_yield();
            note(me);
            join_thread(t);
            break;
        }
        default:
            CHECK_RC(pthread_mutex_lock(&mutex), 0);
            for (int before = turn; turn == before && i % 4 == 3;) {
                turn++;
                CHECK_RC(pthread_cond_signal(&changed), 0);
            }
            CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        }
    }
    pthread_barrier_wait(&barrier);
    note(me);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "once") == 0) {
        pthread_t t[THREADS];
        CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS), 0);
        CHECK_OK(sem_init(&permits, 0, 3));
        for (long i = 0; i < THREADS; i++)
            t[i] = spawn(work, (void *)i);
        for (int i = 0; i < THREADS; i++)
            join_thread(t[i]);
        char text[64];
        snprintf(text, sizeof text, "%u steps, %08x", steps, hash);
        say(text);
        return 0;
    }
    if (preloaded())
        CHECK_OK(setenv("GREENPATCH_SLICE", "0", 1));
    struct outcome first = rerun("once");
    CHECK_EXIT(first, 0);
    for (int i = 1; i < RUNS; i++) {
        struct outcome again = rerun("once");
        CHECK_EXIT(again, 0);
        // The kernel's threads come in any order.
        if (preloaded())
            CHECK_STR(again.output, first.output);
    }
    return 0;
}
