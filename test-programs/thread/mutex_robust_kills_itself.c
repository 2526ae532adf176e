// A process that ends itself by a signal leaves the robust mutexes of all of its threads to others, whichever call sends the signal.
#include "check.h"
#include <sys/mman.h>

struct shared {
    pthread_mutex_t plain, inheriting;
    pthread_barrier_t held;
    int go;
};
static struct shared *shared;

static void by_kill(void) { kill(getpid(), SIGKILL); }
static void by_kill_of_default(void) { kill(getpid(), SIGTERM); }
static void by_group(void) { kill(0, SIGKILL); }
static void by_named_group(void) { kill(-getpgrp(), SIGUSR1); }
static void by_queue(void) { sigqueue(getpid(), SIGKILL, (union sigval){0}); }
static void by_thread(void) { pthread_kill(pthread_self(), SIGKILL); }
static void by_thread_of_process(void) { syscall(SYS_tgkill, getpid(), getpid(), SIGKILL); }
static void by_abort(void) { abort(); }
static void (*const ways[])(void) = {by_kill,   by_kill_of_default,   by_group, by_named_group, by_queue,
                                     by_thread, by_thread_of_process, by_abort};

static void *hold(void *mutex) {
    pthread_mutex_lock(mutex);
    pthread_barrier_wait(&shared->held);
    while (pause() == -1)
        ;
    return NULL;
}

static void init(pthread_mutex_t *mutex, int protocol) {
    pthread_mutexattr_t attr;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_RC(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    CHECK_RC(pthread_mutex_init(mutex, &attr), 0);
}

static void init_barrier(void) {
    pthread_barrierattr_t attr;
    CHECK_RC(pthread_barrierattr_init(&attr), 0);
    CHECK_RC(pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_barrier_init(&shared->held, &attr, 3), 0); // two that hold, and the parent
}

static void take_over(pthread_mutex_t *mutex) {
    CHECK_RC(pthread_mutex_lock(mutex), EOWNERDEAD);
    CHECK_RC(pthread_mutex_consistent(mutex), 0);
    CHECK_RC(pthread_mutex_unlock(mutex), 0);
}

static void *take_both_over(void *arg) {
    (void)arg;
    take_over(&shared->plain);
    take_over(&shared->inheriting);
    return NULL;
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        init(&shared->plain, PTHREAD_PRIO_NONE);
        init(&shared->inheriting, PTHREAD_PRIO_INHERIT);
        init_barrier();
        shared->go = 0;
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            CHECK_OK(setpgid(0, 0));
            spawn(hold, &shared->plain);
            spawn(hold, &shared->inheriting);
            EVENTUALLY(__atomic_load_n(&shared->go, __ATOMIC_SEQ_CST) == 1);
            ways[i]();
            _exit(1);
        }
        pthread_barrier_wait(&shared->held);
        pthread_t taker = spawn(take_both_over, NULL);
        __atomic_store_n(&shared->go, 1, __ATOMIC_SEQ_CST);
        join_thread(taker);
        CHECK(WIFSIGNALED(wait_child(pid)));
    }
    return 0;
}
