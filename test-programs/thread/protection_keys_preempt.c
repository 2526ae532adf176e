// Rights by protection key stay a thread's own when it is preempted, and while handlers interrupt it.
#include "check.h"
#include <stdatomic.h>
#include <sys/mman.h>

static int key;
static atomic_int stop;
static volatile sig_atomic_t handled;

static void look(int signal) {
    (void)signal;
    CHECK(pkey_get(key) == PKEY_DISABLE_ACCESS);
    handled++;
}

static void *computes(void *arg) {
    int rights = *(int *)arg;
    CHECK_OK(pkey_set(key, rights));
    while (!atomic_load(&stop))
        CHECK(pkey_get(key) == rights);
    return NULL;
}

int main(void) {
    key = pkey_alloc(0, 0);
    if (key < 0)
        SKIP("no protection keys");
    struct sigaction action = {.sa_handler = look};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    int rights[] = {PKEY_DISABLE_WRITE, 0};
    pthread_t threads[] = {spawn(computes, &rights[0]), spawn(computes, &rights[1])};
    CHECK_OK(pkey_set(key, PKEY_DISABLE_ACCESS));
    for (int i = 0; i < 20; i++) {
        CHECK_RC(pthread_kill(threads[i % 2], SIGUSR1), 0);
        while (handled <= i)
            CHECK_OK(usleep(100));
        CHECK(pkey_get(key) == PKEY_DISABLE_ACCESS);
    }
    atomic_store(&stop, 1);
    join_thread(threads[0]);
    join_thread(threads[1]);
    return 0;
}
