// Detached threads (by attribute, by pthread_detach of a running, a finished and the calling thread) run to their end and leave nothing behind.
#include "check.h"
#include <semaphore.h>

static sem_t done, hold;

static void *post_done(void *arg) {
    (void)arg;
    sem_post(&done);
    return NULL;
}

static void *wait_then_post(void *arg) {
    (void)arg;
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    sem_post(&done);
    return NULL;
}

static void *detach_self(void *arg) {
    (void)arg;
    CHECK_RC(pthread_detach(pthread_self()), 0);
    sem_post(&done);
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&done, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    pthread_t t;
    long before_kb = 0;
    for (int i = 0; i < 5000; i++) {
        if (i == 500)
            before_kb = rss_kb();
        CHECK_RC(pthread_create(&t, &attr, post_done, NULL), 0);
        CHECK_OK(sem_wait(&done));
    }
    for (int i = 0; i < 200; i++) {
        t = spawn(wait_then_post, NULL);
        CHECK_RC(pthread_detach(t), 0);
        CHECK_RC(pthread_detach(t), EINVAL);
        CHECK_RC(pthread_join(t, NULL), EINVAL);
        CHECK_OK(sem_post(&hold));
        CHECK_OK(sem_wait(&done));
    }
    for (int i = 0; i < 200; i++) {
        t = spawn(post_done, NULL);
        CHECK_OK(sem_wait(&done));
        CHECK_RC(pthread_detach(t), 0);
        spawn(detach_self, NULL);
        CHECK_OK(sem_wait(&done));
    }
    CHECK(rss_kb() - before_kb < 4096);
    EVENTUALLY(kernel_threads() == 1);
    return 0;
}
