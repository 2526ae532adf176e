// A semaphore on the waiter's stack may vanish as soon as sem_wait has returned, while sem_post is still on its way out.
#include "check.h"
#include <semaphore.h>

static void *post(void *arg) {
    CHECK_OK(sem_post(arg));
    return NULL;
}

static __attribute__((noinline)) pthread_t wait_on_stack(void) {
    sem_t here;
    CHECK_OK(sem_init(&here, 0, 0));
    pthread_t t = spawn(post, &here);
    while (sem_wait(&here) == -1)
        CHECK_EQ(errno, EINTR);
    CHECK_OK(sem_destroy(&here));
    memset(&here, 0xff, sizeof here);
    return t;
}

int main(void) {
    for (int i = 0; i < 500; i++)
        join_thread(wait_on_stack());
    return 0;
}
