// pthread_join of oneself and of a detached thread fails (EDEADLK, EINVAL); a chain of threads that each join the one before ends in order.
#include "check.h"

enum { LENGTH = 300 };
static pthread_t threads[LENGTH];
static int ended;

static void *join_previous(void *arg) {
    long me = (long)arg;
    if (me == 0)
        sleep_ms(20);
    else
        CHECK_EQ((long)join_thread(threads[me - 1]), me - 1);
    CHECK_EQ(ended, me);
    ended++;
    return arg;
}

static void *sleeper(void *arg) {
    sleep_ms(50);
    return arg;
}

int main(void) {
    CHECK_RC(pthread_join(pthread_self(), NULL), EDEADLK);
    for (long i = 0; i < LENGTH; i++)
        threads[i] = spawn(join_previous, (void *)i);
    CHECK_EQ((long)join_thread(threads[LENGTH - 1]), LENGTH - 1);
    CHECK_EQ(ended, LENGTH);
    pthread_t t = spawn(sleeper, NULL);
    CHECK_RC(pthread_detach(t), 0);
    CHECK_RC(pthread_join(t, NULL), EINVAL);
    return 0;
}
