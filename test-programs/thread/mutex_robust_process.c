// A robust mutex in shared memory is EOWNERDEAD to a thread of this process that waits for it when the process that holds it exits.
#include "check.h"
#include <sys/mman.h>

struct shared {
    pthread_mutex_t mutex;
    int locked;
};
static struct shared *shared;

static void *wait_for_it(void *arg) {
    (void)arg;
    return (void *)(long)pthread_mutex_lock(&shared->mutex);
}

static void *hold_in_thread(void *arg) {
    (void)arg;
    pthread_mutex_lock(&shared->mutex);
    __atomic_store_n(&shared->locked, 1, __ATOMIC_SEQ_CST);
    sleep_ms(20);
    _exit(0);
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_RC(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_mutex_init(&shared->mutex, &attr), 0);
    for (int in_thread = 0; in_thread < 2; in_thread++) {
        shared->locked = 0;
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            if (in_thread)
                pthread_join(spawn(hold_in_thread, NULL), NULL);
            hold_in_thread(NULL);
        }
        EVENTUALLY(__atomic_load_n(&shared->locked, __ATOMIC_SEQ_CST) == 1);
        pthread_t t = spawn(wait_for_it, NULL);
        // This one waits too; which of the two comes first is open.
        int mine = pthread_mutex_lock(&shared->mutex);
        if (mine == EOWNERDEAD)
            CHECK_RC(pthread_mutex_consistent(&shared->mutex), 0);
        if (mine == 0 || mine == EOWNERDEAD)
            CHECK_RC(pthread_mutex_unlock(&shared->mutex), 0);
        int others = (int)(long)join_thread(t);
        // Whoever came first heard of the child's death. The thread ended without unlocking in either case.
        CHECK_RC(mine, EOWNERDEAD);
        CHECK(others == 0 || others == EOWNERDEAD);
        int status = wait_child(pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        // The thread's death is main's to hear of, unless it has heard already.
        CHECK_RC(pthread_mutex_trylock(&shared->mutex), others == 0 ? EOWNERDEAD : 0);
        if (others == 0)
            CHECK_RC(pthread_mutex_consistent(&shared->mutex), 0);
        CHECK_RC(pthread_mutex_unlock(&shared->mutex), 0);
    }
    return 0;
}
