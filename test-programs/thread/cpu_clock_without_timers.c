// A thread's CPU clock counts what the thread used before anybody asked, also where the system gives no more timers.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

static sem_t ready, hold;
static const int64_t burn = 200000000;

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

int main(void) {
    const struct rlimit none = {0, 0};
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &none));
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t computing = spawn(computes, NULL);
    CHECK_OK(sem_wait(&ready));
    clockid_t clock;
    CHECK_RC(pthread_getcpuclockid(computing, &clock), 0);
    int64_t used = now_ns(clock);
    CHECK(used >= burn / 10 * 9);
    CHECK(used <= now_ns(CLOCK_PROCESS_CPUTIME_ID));
    CHECK_OK(sem_post(&hold));
    join_thread(computing);
    return 0;
}
