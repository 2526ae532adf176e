// A thread that only makes calls that never block (reads that are EAGAIN, polls with timeout 0, trylocks, clocks) keeps nobody from running.
#include "check.h"
#include <poll.h>

static int ends[2], stop, rounds;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *busy(void *arg) {
    char c;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        struct pollfd p = {ends[0], POLLIN, 0};
        switch ((long)arg) {
        case 0:
            CHECK_ERR(read(ends[0], &c, 1), EAGAIN);
            break;
        case 1:
            CHECK_EQ(poll(&p, 1, 0), 0);
            break;
        case 2:
            CHECK_RC(pthread_mutex_trylock(&mutex), EBUSY);
            break;
        case 3:
            now_ns(CLOCK_MONOTONIC);
        }
        __atomic_add_fetch(&rounds, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

int main(void) {
    CHECK_OK(pipe2(ends, O_NONBLOCK));
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    for (long how = 0; how < 4; how++) {
        stop = rounds = 0;
        pthread_t t = spawn(busy, (void *)how);
        EVENTUALLY(__atomic_load_n(&rounds, __ATOMIC_SEQ_CST) > 100);
        __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
        join_thread(t);
    }
    return 0;
}
