// pthread_once runs its routine exactly once and everybody waits for its end; a routine that is cancelled counts as not run, and the next caller runs it.
#include "check.h"

static pthread_once_t once = PTHREAD_ONCE_INIT, cancelled_once = PTHREAD_ONCE_INIT;
static int runs, finished, starts, completed, allow;

static void routine(void) {
    runs++;
    for (int i = 0; i < 5; i++)
        sleep_ms(1);
    finished = 1;
}

static void *call(void *arg) {
    CHECK_RC(pthread_once(&once, routine), 0);
    CHECK_EQ(finished, 1);
    return arg;
}

static void may_be_cancelled(void) {
    __atomic_add_fetch(&starts, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&allow, __ATOMIC_SEQ_CST))
        for (;;)
            sleep(60);
    completed++;
}

static void *call_cancelled(void *arg) {
    CHECK_RC(pthread_once(&cancelled_once, may_be_cancelled), 0);
    return arg;
}

int main(void) {
    pthread_t threads[50];
    for (int i = 0; i < 50; i++)
        threads[i] = spawn(call, NULL);
    for (int i = 0; i < 50; i++)
        join_thread(threads[i]);
    CHECK_EQ(runs, 1);

    pthread_t first = spawn(call_cancelled, NULL);
    EVENTUALLY(__atomic_load_n(&starts, __ATOMIC_SEQ_CST) == 1);
    pthread_t second = spawn(call_cancelled, NULL);
    sleep_ms(5);
    __atomic_store_n(&allow, 1, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_cancel(first), 0);
    CHECK(join_thread(first) == PTHREAD_CANCELED);
    CHECK(join_thread(second) == NULL);
    CHECK_EQ(starts, 2);
    CHECK_EQ(completed, 1);
    return 0;
}
