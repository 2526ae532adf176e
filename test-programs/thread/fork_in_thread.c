// fork in a thread: the child has that thread only, its own thread-locals and keys, can malloc, print, create and join threads and exit; the parent's threads live on.
#include "check.h"
#include <semaphore.h>

static __thread int local = 1;
static pthread_key_t key;
static int beats, stop;

static void *beat(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        free(malloc(100 + beats % 1000));
        __atomic_add_fetch(&beats, 1, __ATOMIC_SEQ_CST);
        sched_yield();
        if (beats % 16 == 0)
            sleep_ms(1);
    }
    return arg;
}

static void *add(void *arg) {
    sleep_ms(1);
    return (char *)arg + 1;
}

static void *forks(void *arg) {
    long me = (long)arg;
    local = (int)me;
    CHECK_RC(pthread_setspecific(key, arg), 0);
    for (int round = 0; round < 5; round++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            int before = __atomic_load_n(&beats, __ATOMIC_SEQ_CST);
            CHECK_EQ(local, me);
            CHECK_EQ((long)pthread_getspecific(key), me);
            CHECK_EQ(kernel_threads(), 1);
            CHECK_EQ(gettid(), getpid());
            char *text = NULL;
            CHECK(asprintf(&text, "%ld", me) > 0);
            free(text);
            pthread_t t[5];
            for (long i = 0; i < 5; i++)
                t[i] = spawn(add, (void *)i);
            for (long i = 0; i < 5; i++)
                CHECK_EQ((long)join_thread(t[i]), i + 1);
            sleep_ms(2);
            CHECK_EQ(__atomic_load_n(&beats, __ATOMIC_SEQ_CST), before);
            exit((int)me);
        }
        int status = wait_child(pid);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), me);
    }
    return NULL;
}

int main(void) {
    CHECK_RC(pthread_key_create(&key, NULL), 0);
    pthread_t beaters[3], forkers[5];
    for (int i = 0; i < 3; i++)
        beaters[i] = spawn(beat, NULL);
    for (long i = 0; i < 5; i++)
        forkers[i] = spawn(forks, (void *)(i + 10));
    for (int i = 0; i < 5; i++)
        join_thread(forkers[i]);
    int before = __atomic_load_n(&beats, __ATOMIC_SEQ_CST);
    EVENTUALLY(__atomic_load_n(&beats, __ATOMIC_SEQ_CST) > before);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 3; i++)
        join_thread(beaters[i]);
    return 0;
}
