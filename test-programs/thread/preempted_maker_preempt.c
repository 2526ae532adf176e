// One whose time slice ends while it makes threads that compute goes on before each of them has had a slice.
#include "thread/computes.h"

enum { COMPUTING = 100 };

static void *make(void *unused) {
    pthread_t threads[COMPUTING];
    make_computing(threads, COMPUTING);
    while (started == 0)
        ;
    if (preloaded() && started > COMPUTING / 2)
        CHECK_FAIL("%d threads have had a slice before their maker went on", (int)started);
    end_computing(threads, COMPUTING);
    return unused;
}

int main(void) {
    make(NULL);
    // The same of one that is new itself.
    stop = started = 0;
    join_thread(spawn(make, NULL));
    return 0;
}
