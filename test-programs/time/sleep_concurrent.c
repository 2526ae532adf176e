// 500 threads sleep at the same time: the last has begun before the first is done, and all come back.
#include "check.h"

enum { THREADS = 500 };
static int begun, ended, begun_when_first_ended;

static void *sleeps(void *arg) {
    __atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
    sleep_ms(100);
    // As long as not all have begun, sleep again: a sleep that kept the others from running would never see them.
    while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < THREADS)
        sleep_ms(100);
    if (__atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST) == 1)
        begun_when_first_ended = __atomic_load_n(&begun, __ATOMIC_SEQ_CST);
    return arg;
}

int main(void) {
    static pthread_t t[THREADS];
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 65536), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_RC(pthread_create(&t[i], &attr, sleeps, NULL), 0);
    CHECK_ONE_KERNEL_THREAD();
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_EQ(begun_when_first_ended, THREADS);
    CHECK_EQ(ended, THREADS);
    return 0;
}
