// Two hundred threads that compute as soon as they run don't keep the one that made them and then sleeps waiting for a time slice of each; all come to run.
#include "thread/computes.h"

enum { COMPUTING = 200, SLEEPS = 20 };

int main(void) {
    pthread_t threads[COMPUTING];
    make_computing(threads, COMPUTING);
    // A busy machine may take slices to make them.
    int early = started;
    // On one processor, each that runs in between takes a slice.
    for (int i = 0; i < SLEEPS; i++)
        CHECK_OK(usleep(1000));
    if (preloaded() && started - early > (COMPUTING - early) / 2)
        CHECK_FAIL("%d of %d threads have had a slice while this one slept %d times", started - early, COMPUTING - early, SLEEPS);
    while (started < COMPUTING)
        CHECK_OK(usleep(1000));
    end_computing(threads, COMPUTING);
    return 0;
}
