// pthread_tryjoin_np, pthread_timedjoin_np and pthread_clockjoin_np: EBUSY, ETIMEDOUT on both clocks, EINVAL, and the result once the thread has ended.
#include "check.h"
#include <semaphore.h>

static sem_t hold;

static void *until_told(void *arg) {
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}

static void *after_a_while(void *arg) {
    sleep_ms(30);
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&hold, 0, 0));
    void *result = NULL;
    pthread_t t = spawn(until_told, (void *)42);

    CHECK_RC(pthread_tryjoin_np(t, &result), EBUSY);
    struct timespec past = deadline_in(CLOCK_REALTIME, -1000);
    CHECK_RC(pthread_timedjoin_np(t, &result, &past), ETIMEDOUT);
    struct timespec soon = deadline_in(CLOCK_REALTIME, 20);
    CHECK_RC(pthread_timedjoin_np(t, &result, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    soon = deadline_in(CLOCK_MONOTONIC, 20);
    CHECK_RC(pthread_clockjoin_np(t, &result, CLOCK_MONOTONIC, &soon), ETIMEDOUT);
    CHECK(now_ns(CLOCK_MONOTONIC) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    CHECK_RC(pthread_clockjoin_np(t, &result, CLOCK_PROCESS_CPUTIME_ID, &soon), EINVAL);
    CHECK_RC(pthread_tryjoin_np(t, &result), EBUSY);
    CHECK(result == NULL);

    CHECK_OK(sem_post(&hold));
    struct timespec late = deadline_in(CLOCK_REALTIME, 60000);
    CHECK_RC(pthread_timedjoin_np(t, &result, &late), 0);
    CHECK_EQ((long)result, 42);

    t = spawn(after_a_while, (void *)43);
    late = deadline_in(CLOCK_MONOTONIC, 60000);
    CHECK_RC(pthread_clockjoin_np(t, &result, CLOCK_MONOTONIC, &late), 0);
    CHECK_EQ((long)result, 43);

    t = spawn(after_a_while, (void *)44);
    EVENTUALLY(pthread_tryjoin_np(t, &result) == 0);
    CHECK_EQ((long)result, 44);
    return 0;
}
