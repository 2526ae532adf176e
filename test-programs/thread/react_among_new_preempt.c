// Two hundred threads that compute as soon as they run don't keep the one that made them and then sleeps waiting for a time slice of each; all come to run.
#include "thread/computes.h"

enum { COMPUTING = 200, SLEEPS = 20 };

int main(void) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 65536), 0);
    pthread_t threads[COMPUTING];
    for (int i = 0; i < COMPUTING; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, compute, NULL), 0);
    // On one processor, each that runs in between takes a slice.
    for (int i = 0; i < SLEEPS; i++)
        CHECK_OK(usleep(1000));
    if (preloaded() && started > COMPUTING / 2)
        CHECK_FAIL("%d threads have had a slice while this one slept %d times", (int)started, SLEEPS);
    while (started < COMPUTING)
        CHECK_OK(usleep(1000));
    stop = 1;
    for (int i = 0; i < COMPUTING; i++)
        join_thread(threads[i]);
    return 0;
}
