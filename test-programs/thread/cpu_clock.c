// Thread CPU clocks: a thread that computes has used what its clock says, one that sleeps hardly any; read by itself, by pthread_getcpuclockid, RUSAGE_THREAD.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

static sem_t ready, hold;
static const int64_t burn = 150000000;

static int64_t usage_ns(int who) {
    struct rusage u;
    CHECK_OK(getrusage(who, &u));
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000LL + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000LL;
}

static void *computes(void *arg) {
    volatile unsigned long work = 0;
    int64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    while (now_ns(CLOCK_THREAD_CPUTIME_ID) - start < burn)
        for (int i = 0; i < 1000; i++)
            work++;
    CHECK(usage_ns(RUSAGE_THREAD) >= burn / 2);
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *sleeps(void *arg) {
    int64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    sleep_ms(40);
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - start < burn / 2);
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static void *nothing(void *arg) {
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    // What starting takes, and a first thread, is main's.
    join_thread(spawn(nothing, NULL));
    int64_t before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t a = spawn(computes, NULL), b = spawn(sleeps, NULL);
    CHECK_OK(sem_wait(&ready));
    CHECK_OK(sem_wait(&ready));
    clockid_t clock;
    CHECK_RC(pthread_getcpuclockid(a, &clock), 0);
    CHECK(now_ns(clock) >= burn);
    CHECK_RC(pthread_getcpuclockid(b, &clock), 0);
    CHECK(now_ns(clock) < burn / 2);
    CHECK_RC(pthread_getcpuclockid(pthread_self(), &clock), 0);
    int64_t mine = now_ns(clock);
    if (mine - before >= burn / 2)
        CHECK_FAIL("main has used %lld ns after %lld", (long long)mine, (long long)before);
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) >= mine);
    CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) >= burn);
    CHECK(usage_ns(RUSAGE_SELF) >= burn / 2);
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_post(&hold));
    join_thread(a);
    join_thread(b);
    return 0;
}
