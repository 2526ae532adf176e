// Signals sent at random to 30 threads that block, yield and lock hit each exactly as often as they were sent (real-time ones), and disturb no result.
#include "check.h"
#include <semaphore.h>

enum { THREADS = 30, SIGNALS = 3000 };
static __thread int me = -1;
static int hits[THREADS], sent[THREADS], stop, started, misdirected;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter, counted[THREADS];

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    if (info->si_value.sival_int != me)
        misdirected++;
    else
        __atomic_add_fetch(&hits[me], 1, __ATOMIC_SEQ_CST);
}

static void *run(void *arg) {
    me = (int)(long)arg;
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        long before = counter;
        if (before % 32 == 0)
            sched_yield();
        counter = before + 1;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        counted[me]++;
        usleep(500);
    }
    return NULL;
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGRTMIN + 8, &sa, NULL));
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++)
        t[i] = spawn(run, (void *)i);
    EVENTUALLY(__atomic_load_n(&started, __ATOMIC_SEQ_CST) == THREADS);
    unsigned seed = 12345;
    for (int i = 0; i < SIGNALS; i++) {
        int to = (int)((seed = seed * 1103515245u + 12345u) >> 16) % THREADS;
        int rc;
        while ((rc = pthread_sigqueue(t[to], SIGRTMIN + 8, (union sigval){.sival_int = to})) == EAGAIN)
            sleep_ms(1);
        CHECK_RC(rc, 0);
        sent[to]++;
        if (i % 16 == 0)
            sched_yield();
    }
    for (int i = 0; i < THREADS; i++)
        EVENTUALLY(__atomic_load_n(&hits[i], __ATOMIC_SEQ_CST) == sent[i]);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        join_thread(t[i]);
        sum += counted[i];
    }
    CHECK_EQ(counter, sum);
    CHECK_EQ(misdirected, 0);
    return 0;
}
