// One whose time slice ends while it makes threads that compute goes on before each of them has had a slice.
#include "thread/computes.h"

enum { COMPUTING = 100 };

static void *make(void *unused) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 65536), 0);
    pthread_t threads[COMPUTING];
    for (int i = 0; i < COMPUTING; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, compute, NULL), 0);
    while (started == 0)
        ;
    if (preloaded() && started > COMPUTING / 2)
        CHECK_FAIL("%d threads have had a slice before their maker went on", (int)started);
    stop = 1;
    for (int i = 0; i < COMPUTING; i++)
        join_thread(threads[i]);
    return unused;
}

int main(void) {
    make(NULL);
    // The same of one that is new itself.
    stop = started = 0;
    join_thread(spawn(make, NULL));
    return 0;
}
