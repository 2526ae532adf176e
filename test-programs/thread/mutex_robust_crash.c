// A robust mutex in shared memory is EOWNERDEAD to another process when the process whose thread holds it crashes, aborts, sends itself a fatal signal, or ends by its last thread.
#include "check.h"
#include <sys/mman.h>
#include <sys/resource.h>

enum { CRASH, ABORT, SIGNAL, OTHER_THREAD_CRASHES, RETURN, WAYS };
struct shared {
    pthread_mutex_t mutex[2];
    int locked;
};
static struct shared *shared;

static void *crash(void *arg) {
    *(volatile int *)arg = 1;
    return NULL;
}

static void *wait_for_it(void *arg) {
    pthread_mutex_lock(&shared->mutex[0]);
    return arg;
}

static void *hold(void *arg) {
    for (int i = 0; i < 2; i++)
        CHECK_RC(pthread_mutex_lock(&shared->mutex[i]), 0);
    __atomic_store_n(&shared->locked, 1, __ATOMIC_SEQ_CST);
    sleep_ms(10);
    switch (*(int *)arg) {
    case CRASH:
        crash(NULL);
        break;
    case ABORT:
        abort();
    case SIGNAL:
        raise(SIGTERM);
        break;
    case OTHER_THREAD_CRASHES:
        spawn(crash, NULL);
        for (;;)
            pause();
    case RETURN:
        break;
    }
    return NULL;
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_RC(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    // The thread outlives the frame of a main that ends.
    static int way;
    for (; way < WAYS; way++) {
        for (int i = 0; i < 2; i++)
            CHECK_RC(pthread_mutex_init(&shared->mutex[i], &attr), 0);
        shared->locked = 0;
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            pthread_t t = spawn(hold, &way);
            // Somebody of the dying process waits as well.
            EVENTUALLY(__atomic_load_n(&shared->locked, __ATOMIC_SEQ_CST) == 1);
            spawn(wait_for_it, NULL);
            if (way == RETURN) {
                join_thread(t);
                exit(0);
            }
            pthread_exit(NULL);
        }
        EVENTUALLY(__atomic_load_n(&shared->locked, __ATOMIC_SEQ_CST) == 1);
        for (int i = 0; i < 2; i++) {
            CHECK_RC(pthread_mutex_lock(&shared->mutex[i]), EOWNERDEAD);
            CHECK_RC(pthread_mutex_consistent(&shared->mutex[i]), 0);
            CHECK_RC(pthread_mutex_unlock(&shared->mutex[i]), 0);
        }
        int status = wait_child(pid);
        int want[WAYS] = {SIGSEGV, SIGABRT, SIGTERM, SIGSEGV, 0};
        if (want[way] == 0)
            CHECK_EQ(status, 0);
        else
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == want[way]);
    }
    return 0;
}
