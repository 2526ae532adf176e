// A thread's CPU clock also counts what the thread used before anybody asked: by and large, if nobody had asked before.
#include "check.h"
#include <semaphore.h>

static sem_t ready, hold;
static const int64_t burn = 300000000;

static void *computes(void *arg) {
    volatile unsigned long work = 0;
    int64_t start = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - start < burn)
        for (int i = 0; i < 1000; i++)
            work++;
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *sleeps(void *arg) {
    for (int i = 0; i < 20; i++)
        sleep_ms(2);
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *nothing(void *arg) {
    return arg;
}

int main(void) {
    // What starting takes, and a first thread, is main's.
    join_thread(spawn(nothing, NULL));
    int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t a = spawn(computes, NULL), b = spawn(sleeps, NULL);
    CHECK_OK(sem_wait(&ready));
    CHECK_OK(sem_wait(&ready));
    clockid_t of_a, of_b;
    CHECK_RC(pthread_getcpuclockid(a, &of_a), 0);
    CHECK_RC(pthread_getcpuclockid(b, &of_b), 0);
    int64_t used = now_ns(of_a);
    CHECK(used >= burn / 2);
    CHECK(used <= now_ns(CLOCK_PROCESS_CPUTIME_ID));
    CHECK(now_ns(of_b) < burn / 2);
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - before < burn / 2);
    CHECK_EQ(now_ns(of_a), used);
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_post(&hold));
    join_thread(a);
    join_thread(b);
    return 0;
}
