// Two threads that compute under a lock as interpreters have it (given up when another one asks, after 5 ms of waiting in vain, and not taken again before that one has had it) don't starve a third that sleeps and takes it in turn.
#include "check.h"

enum { NAPS = 20, COMPUTING = 2, SLEEPER = COMPUTING };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed, taken;
static int held;
static _Atomic int asked, stop;
static int takes, takes_of[COMPUTING + 1];

static void take(int me) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    while (held) {
        int before = takes;
        struct timespec until;
        CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &until));
        until.tv_nsec += 5000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        if (pthread_cond_timedwait(&freed, &mutex, &until) == ETIMEDOUT && held && takes == before)
            asked = 1;
    }
    held = 1;
    takes++;
    takes_of[me]++;
    asked = 0;
    CHECK_RC(pthread_cond_broadcast(&taken), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}

static void give_up(void) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    held = 0;
    CHECK_RC(pthread_cond_signal(&freed), 0);
    int before = takes;
    while (asked && takes == before)
        CHECK_RC(pthread_cond_wait(&taken, &mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}

static void *compute(void *arg) {
    int me = (int)(intptr_t)arg;
    uintptr_t number = (uintptr_t)me;
    take(me);
    while (!stop) {
        for (int i = 0; i < 1000; i++)
            number = number * 6364136223846793005u + 1;
        if (asked) {
            give_up();
            take(me);
        }
    }
    give_up();
    return (void *)number;
}

int main(void) {
    pthread_condattr_t attr;
    CHECK_RC(pthread_condattr_init(&attr), 0);
    CHECK_RC(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
    CHECK_RC(pthread_cond_init(&freed, &attr), 0);
    CHECK_RC(pthread_cond_init(&taken, &attr), 0);
    pthread_t threads[COMPUTING];
    take(SLEEPER);
    for (intptr_t i = 0; i < COMPUTING; i++)
        threads[i] = spawn(compute, (void *)i);
    for (int i = 0; i < NAPS; i++) {
        give_up();
        CHECK_OK(usleep(1000));
        take(SLEEPER);
    }
    int others = takes - takes_of[SLEEPER];
    if (others > 20 * NAPS)
        CHECK_FAIL("the others have had the lock %d times, this one %d times", others, NAPS);
    stop = 1;
    give_up();
    for (int i = 0; i < COMPUTING; i++)
        join_thread(threads[i]);
    return 0;
}
