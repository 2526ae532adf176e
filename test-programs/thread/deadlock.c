// Two threads that lock two mutexes in opposite order hang and nothing else happens: the process is still there, and can be killed.
#include "check.h"

static pthread_mutex_t a = PTHREAD_MUTEX_INITIALIZER, b = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static int ends[2];

static void *lock_in_order(void *arg) {
    pthread_mutex_t *first = arg ? &a : &b, *second = arg ? &b : &a;
    pthread_mutex_lock(first);
    pthread_barrier_wait(&both);
    CHECK_EQ(write(ends[1], "r", 1), 1);
    pthread_mutex_lock(second);
    CHECK_FAIL("both locked");
}

int main(void) {
    CHECK_OK(pipe(ends));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        pthread_barrier_init(&both, NULL, 2);
        pthread_t t = spawn(lock_in_order, &a);
        spawn(lock_in_order, NULL);
        pthread_join(t, NULL);
        _exit(1);
    }
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    sleep_ms(50);
    CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
    CHECK_OK(kill(pid, SIGKILL));
    int status = wait_child(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    return 0;
}
