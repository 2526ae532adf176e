// Threads that create threads that create threads, joined or detached, all count; creation from many threads at once mixes nothing up.
#include "check.h"

static int count;

static void *grow(void *arg) {
    long depth = (long)arg;
    pthread_t t[3];
    __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (depth == 0)
        return NULL;
    for (int i = 0; i < 3; i++)
        t[i] = spawn(grow, (void *)(depth - 1));
    for (int i = 0; i < 3; i++)
        if (i == 2 && depth == 1)
            CHECK_RC(pthread_detach(t[i]), 0);
        else
            join_thread(t[i]);
    return NULL;
}

int main(void) {
    join_thread(spawn(grow, (void *)6));
    // 3^0 + ... + 3^6
    EVENTUALLY(__atomic_load_n(&count, __ATOMIC_SEQ_CST) == 1093);
    return 0;
}
