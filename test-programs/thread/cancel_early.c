// A thread cancelled right after its creation, and one that cancels itself, end at their first cancellation point, not before.
#include "check.h"

static int ran[200];

static void *early(void *arg) {
    int *mine = arg;
    *mine = 1;
    sched_yield();
    *mine = 2;
    pthread_testcancel();
    // The request may come only now.
    for (;;)
        pause();
    return NULL;
}

static void *self(void *arg) {
    int *mine = arg;
    CHECK_RC(pthread_cancel(pthread_self()), 0);
    *mine = 1;
    sleep(3600);
    *mine = 2;
    return NULL;
}

int main(void) {
    pthread_t threads[200];
    for (int i = 0; i < 200; i++) {
        threads[i] = spawn(early, &ran[i]);
        CHECK_RC(pthread_cancel(threads[i]), 0);
    }
    for (int i = 0; i < 200; i++) {
        CHECK(join_thread(threads[i]) == PTHREAD_CANCELED);
        CHECK_EQ(ran[i], 2);
    }
    CHECK(join_thread(spawn(self, &ran[0])) == PTHREAD_CANCELED);
    CHECK_EQ(ran[0], 1);
    return 0;
}
