// Condition waits work with recursive, error-checking, priority-inheritance and robust mutexes; an unowned error-checking mutex is EPERM.
#include "check.h"

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ball, hits;

static void *play(void *arg) {
    int me = (int)(long)arg;
    for (int i = 0; i < 300; i++) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        while (ball != me)
            CHECK_RC(pthread_cond_wait(&cond, &mutex), 0);
        hits++;
        ball = !me;
        CHECK_RC(pthread_cond_broadcast(&cond), 0);
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    }
    return NULL;
}

int main(void) {
    struct {
        int kind, protocol, robust;
    } cases[] = {{PTHREAD_MUTEX_RECURSIVE, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED},
                 {PTHREAD_MUTEX_ERRORCHECK, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED},
                 {PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_STALLED},
                 {PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST},
                 {PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_INHERIT, PTHREAD_MUTEX_ROBUST}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pthread_mutexattr_t attr;
        CHECK_RC(pthread_mutexattr_init(&attr), 0);
        CHECK_RC(pthread_mutexattr_settype(&attr, cases[i].kind), 0);
        CHECK_RC(pthread_mutexattr_setprotocol(&attr, cases[i].protocol), 0);
        CHECK_RC(pthread_mutexattr_setrobust(&attr, cases[i].robust), 0);
        CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
        if (cases[i].kind == PTHREAD_MUTEX_ERRORCHECK)
            CHECK_RC(pthread_cond_wait(&cond, &mutex), EPERM);
        ball = hits = 0;
        pthread_t a = spawn(play, (void *)0), b = spawn(play, (void *)1);
        join_thread(a);
        join_thread(b);
        CHECK_EQ(hits, 600);
        CHECK_RC(pthread_mutex_destroy(&mutex), 0);
    }
    return 0;
}
