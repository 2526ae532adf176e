// 1,000 threads parked in reads of one pipe and in one condition are cancelled together: each runs its handler once, the pipe and the condition still work.
#include "check.h"

enum { THREADS = 1000 };
static int ends[2], entered, cleaned;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void cleanup(void *arg) {
    if (arg != NULL)
        CHECK_RC(pthread_mutex_unlock(arg), 0);
    __atomic_add_fetch(&cleaned, 1, __ATOMIC_SEQ_CST);
}

static void *in_read(void *arg) {
    char c;
    pthread_cleanup_push(cleanup, NULL);
    __atomic_add_fetch(&entered, 1, __ATOMIC_SEQ_CST);
    (void)!read(ends[0], &c, 1);
    pthread_cleanup_pop(0);
    return arg;
}

static void *in_cond(void *arg) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    pthread_cleanup_push(cleanup, &mutex);
    __atomic_add_fetch(&entered, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
    return arg;
}

static void cancel_all(void) {
    static pthread_t threads[THREADS];
    entered = cleaned = 0;
    for (int i = 0; i < THREADS; i++)
        threads[i] = spawn(i % 2 ? in_read : in_cond, NULL);
    EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == THREADS);
    sleep_ms(5);
    CHECK_ONE_KERNEL_THREAD();
    for (int i = 0; i < THREADS; i++)
        CHECK_RC(pthread_cancel(threads[i]), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(join_thread(threads[i]) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, THREADS);
    CHECK_RC(pthread_mutex_trylock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    char c = 0;
    CHECK_EQ(write(ends[1], "m", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'm');
}

int main(void) {
    CHECK_OK(pipe(ends));
    cancel_all();
    // The first time may have opened what stays.
    int fds = open_fds();
    cancel_all();
    CHECK_EQ(open_fds(), fds);
    return 0;
}
