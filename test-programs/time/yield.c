// sched_yield returns 0 and errno stays, and ten threads with 10,000 yields each all come through.
// shows yields: sched_yield
#include "check.h"

enum { THREADS = 10, ROUNDS = 10000 };
static int rounds[THREADS];

static void *yields(void *arg) {
    long me = (long)arg;
    errno = 123;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(sched_yield(), 0);
        __atomic_add_fetch(&rounds[me], 1, __ATOMIC_SEQ_CST);
    }
    CHECK_EQ(errno, 123);
    return NULL;
}

int main(void) {
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++)
        t[i] = spawn(yields, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(rounds[i], ROUNDS);
    CHECK_EQ(sched_yield(), 0);
    return 0;
}
