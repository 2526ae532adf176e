// Barriers: nobody passes before all are there, exactly one is PTHREAD_BARRIER_SERIAL_THREAD per round, hundreds of rounds; bad counts are EINVAL.
#include "check.h"
#include <limits.h>

enum { THREADS = 20, ROUNDS = 200 };
static pthread_barrier_t barrier;
static int arrived[ROUNDS], serial[ROUNDS];

static void *meet(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        __atomic_add_fetch(&arrived[i], 1, __ATOMIC_SEQ_CST);
        if ((i + (long)arg) % 70 == 0)
            sleep_ms(1);
        int rc = pthread_barrier_wait(&barrier);
        CHECK_EQ(__atomic_load_n(&arrived[i], __ATOMIC_SEQ_CST), THREADS);
        if (rc == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_add_fetch(&serial[i], 1, __ATOMIC_SEQ_CST);
        else
            CHECK_RC(rc, 0);
    }
    return NULL;
}

int main(void) {
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 0), EINVAL);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, UINT_MAX), EINVAL);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 1), 0);
    CHECK_RC(pthread_barrier_wait(&barrier), PTHREAD_BARRIER_SERIAL_THREAD);
    CHECK_RC(pthread_barrier_destroy(&barrier), 0);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(meet, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(serial[i], 1);
    CHECK_RC(pthread_barrier_destroy(&barrier), 0);
    return 0;
}
