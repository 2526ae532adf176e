// Handlers that post semaphores, write to pipes, sleep, read, lock, fork and run again within themselves, in parked and in computing threads.
#include "check.h"
#include <semaphore.h>

static int ends[2], parked[2], stop;
static sem_t sem;
static volatile int blocking_runs, nested;
static int forked_ok;
static pthread_mutex_t handler_mutex = PTHREAD_MUTEX_INITIALIZER;

static void posts(int sig) {
    int saved = errno;
    (void)sig;
    CHECK_OK(sem_post(&sem));
    CHECK_EQ(write(ends[1], "h", 1), 1);
    errno = saved;
}

static void blocks(int sig) {
    int saved = errno;
    (void)sig;
    sleep_ms(1);
    CHECK_RC(pthread_mutex_lock(&handler_mutex), 0);
    sched_yield();
    char c = 0;
    CHECK_EQ(write(ends[1], "b", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'b');
    CHECK_RC(pthread_mutex_unlock(&handler_mutex), 0);
    if (!nested) {
        nested = 1;
        CHECK_OK(raise(SIGUSR1));
        CHECK_OK(sem_wait(&sem));
        CHECK_EQ(read(ends[0], &c, 1), 1);
        nested = 0;
    }
    blocking_runs++;
    errno = saved;
}

static void forks(int sig) {
    (void)sig;
    pid_t pid = fork();
    if (pid == 0) {
        sleep_ms(1);
        _exit(21);
    }
    int status;
    while (waitpid(pid, &status, 0) == -1)
        CHECK_EQ(errno, EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 21);
    __atomic_add_fetch(&forked_ok, 1, __ATOMIC_SEQ_CST);
}

static void *park_thread(void *arg) {
    char c;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        if (read(parked[0], &c, 1) == -1)
            CHECK_EQ(errno, EINTR);
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    CHECK_OK(pipe(parked));
    CHECK_OK(sem_init(&sem, 0, 0));
    // The other handler raises this signal and waits for it, so it must not run on top of this one.
    struct sigaction sa = {.sa_handler = posts, .sa_flags = SA_RESTART};
    sigaddset(&sa.sa_mask, SIGUSR2);
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK(signal(SIGUSR2, blocks) != SIG_ERR);
    CHECK(signal(SIGHUP, forks) != SIG_ERR);
    pthread_t t = spawn(park_thread, NULL);
    for (int i = 1; i <= 20; i++) {
        char c = 0;
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        CHECK_OK(sem_wait(&sem));
        CHECK_EQ(read(ends[0], &c, 1), 1);
        CHECK_EQ(c, 'h');
        CHECK_RC(pthread_kill(t, SIGUSR2), 0);
        EVENTUALLY(blocking_runs == i);
    }
    for (int i = 1; i <= 3; i++) {
        CHECK_RC(pthread_kill(t, SIGHUP), 0);
        EVENTUALLY(__atomic_load_n(&forked_ok, __ATOMIC_SEQ_CST) == i);
    }
    CHECK_OK(raise(SIGUSR2));
    CHECK_EQ(blocking_runs, 21);
    CHECK_OK(raise(SIGHUP));
    CHECK_EQ(forked_ok, 4);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(write(parked[1], "x", 1), 1);
    join_thread(t);
    return 0;
}
