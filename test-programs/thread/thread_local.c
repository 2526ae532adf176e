// __thread variables (initialised, zero, large, aligned) are each thread's own, fresh in every new thread.
#include "check.h"

static __thread int counter = 5;
static __thread char zeroes[10000];
static __thread struct { char c; } __attribute__((aligned(64))) aligned;
static _Thread_local const char *text = "start";

static void *use(void *arg) {
    long me = (long)arg;
    CHECK_EQ(counter, 5);
    CHECK_STR(text, "start");
    CHECK_EQ((uintptr_t)&aligned % 64, 0);
    for (size_t i = 0; i < sizeof zeroes; i++)
        CHECK_EQ(zeroes[i], 0);
    memset(zeroes, (int)me, sizeof zeroes);
    text = "changed";
    for (int i = 0; i < 20; i++) {
        counter += (int)me;
        sched_yield();
        if (i % 10 == 0)
            sleep_ms(1);
        CHECK_EQ(counter, 5 + (i + 1) * me);
    }
    for (size_t i = 0; i < sizeof zeroes; i++)
        CHECK_EQ(zeroes[i], (char)me);
    return NULL;
}

int main(void) {
    pthread_t threads[50];
    counter = 1;
    for (int round = 0; round < 5; round++) {
        for (long i = 0; i < 50; i++)
            threads[i] = spawn(use, (void *)(i + 1));
        for (int i = 0; i < 50; i++)
            join_thread(threads[i]);
        CHECK_EQ(counter, 1);
        CHECK_STR(text, "start");
    }
    return 0;
}
