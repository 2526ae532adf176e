// 2,000 threads make 20 sleeps each of mixed lengths, and cancelled and interrupted ones leave no timer behind: everybody comes back, late ones not early.
#include "check.h"

enum { THREADS = 2000, SLEEPS = 20 };
static int done;

static void *sleeps(void *arg) {
    unsigned seed = (unsigned)(long)arg * 2654435761u;
    for (int i = 0; i < SLEEPS; i++) {
        seed = seed * 1103515245u + 12345u;
        int64_t span = (seed >> 12) % 3000000;
        struct timespec ts = ns_to_timespec(span);
        int64_t before = now_ns(CLOCK_MONOTONIC);
        CHECK_OK(nanosleep(&ts, NULL));
        CHECK(now_ns(CLOCK_MONOTONIC) - before >= span);
    }
    __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *sleeps_for_ever(void *arg) {
    for (;;)
        sleep(100000);
    return arg;
}

int main(void) {
    static pthread_t t[THREADS], doomed[200];
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 65536), 0);
    for (int i = 0; i < 200; i++)
        doomed[i] = spawn(sleeps_for_ever, NULL);
    for (long i = 0; i < THREADS; i++)
        CHECK_RC(pthread_create(&t[i], &attr, sleeps, (void *)i), 0);
    for (int i = 0; i < 200; i++)
        CHECK_RC(pthread_cancel(doomed[i]), 0);
    for (int i = 0; i < 200; i++)
        CHECK(join_thread(doomed[i]) == PTHREAD_CANCELED);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_EQ(done, THREADS);
    return 0;
}
