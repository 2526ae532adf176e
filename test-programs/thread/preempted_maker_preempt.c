// One whose time slice ends while it makes threads that compute goes on before each of them has had a slice.
#include "../check.h"

enum { COMPUTING = 100 };

static _Atomic int stop, started;

static void *compute(void *arg) {
    uintptr_t number = (uintptr_t)arg;
    started++;
    while (!stop)
        number = number * 6364136223846793005u + 1; // or it would look like one that only waits
    return (void *)number;
}

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
