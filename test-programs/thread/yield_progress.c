// Threads that spin on a flag with sched_yield, usleep, nanosleep of zero, sleep(0), thrd_yield or trylock let the others set it: a chain of 60 is worked off.
#include "check.h"
#include <threads.h>

enum { LENGTH = 60 };
static int reached;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void relax(long how) {
    struct timespec zero = {0, 0};
    switch (how % 6) {
    case 0:
        sched_yield();
        break;
    case 1:
        usleep(1);
        break;
    case 2:
        nanosleep(&zero, NULL);
        break;
    case 3:
        sleep(0);
        break;
    case 4:
        thrd_yield();
        break;
    case 5:
        if (pthread_mutex_trylock(&mutex) == 0)
            pthread_mutex_unlock(&mutex);
        sched_yield();
    }
}

// The later ones of the chain are made first, so that everybody has to wait.
static void *spin(void *arg) {
    long me = (long)arg;
    while (__atomic_load_n(&reached, __ATOMIC_SEQ_CST) != me)
        relax(me);
    __atomic_store_n(&reached, (int)me + 1, __ATOMIC_SEQ_CST);
    return NULL;
}

int main(void) {
    pthread_t threads[LENGTH];
    for (long i = LENGTH - 1; i >= 0; i--)
        threads[i] = spawn(spin, (void *)i);
    for (int i = 0; i < LENGTH; i++)
        join_thread(threads[i]);
    CHECK_EQ(reached, LENGTH);
    return 0;
}
