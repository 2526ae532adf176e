// A thread recurses through 200 MiB of a 256 MiB stack, with switches on the way down and up.
#include "check.h"

static __attribute__((noinline)) long down(long depth) {
    volatile char frame[64 * 1024];
    frame[0] = (char)depth;
    frame[sizeof frame - 1] = (char)depth;
    if (depth % 500 == 0)
        sched_yield();
    long below = depth == 0 ? 0 : down(depth - 1);
    CHECK_EQ(frame[0], (char)depth);
    CHECK_EQ(frame[sizeof frame - 1], (char)depth);
    return below + 1;
}

static void *recurse(void *arg) { return (void *)down((long)arg); }

int main(void) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 256 << 20), 0);
    pthread_t t[2];
    for (int i = 0; i < 2; i++)
        CHECK_RC(pthread_create(&t[i], &attr, recurse, (void *)3200), 0);
    for (int i = 0; i < 2; i++)
        CHECK_EQ((long)join_thread(t[i]), 3201);
    return 0;
}
