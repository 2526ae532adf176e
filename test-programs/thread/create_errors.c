// pthread_create: EAGAIN at RLIMIT_NPROC and for a stack that cannot be had, EPERM for scheduling that is not allowed; the process goes on.
#include "check.h"
#include <sys/resource.h>
#include <semaphore.h>

static sem_t hold;

static void *park(void *arg) {
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}

static void as_limited_user(void) {
    pthread_t t[50];
    struct rlimit limit = {20, 20};
    int n = 0, rc = 0;
    if (setresgid(54321, 54321, 54321) != 0 || setresuid(54321, 54321, 54321) != 0)
        _exit(77);
    CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
    while (n < 50 && (rc = pthread_create(&t[n], NULL, park, NULL)) == 0)
        n++;
    CHECK_RC(rc, EAGAIN);
    CHECK(n <= 20);
    for (int i = 0; i < n; i++)
        CHECK_OK(sem_post(&hold));
    for (int i = 0; i < n; i++)
        join_thread(t[i]);
    // Room again. A kernel thread is counted until a little after its join.
    EVENTUALLY(pthread_create(&t[0], NULL, park, NULL) == 0);
    CHECK_OK(sem_post(&hold));
    join_thread(t[0]);
    struct sched_param five = {.sched_priority = 5};
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &five), 0);
    CHECK_OK(setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0}));
    CHECK_RC(pthread_create(&t[0], &attr, park, NULL), EPERM);
    _exit(0);
}

int main(void) {
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_attr_t attr;
    pthread_t t;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, (size_t)1 << 47), 0);
    CHECK_RC(pthread_create(&t, &attr, park, NULL), EAGAIN);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    t = spawn(park, NULL);
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        as_limited_user();
    int status = wait_child(pid);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP("only root may become another user; the rest passed");
    CHECK_EQ(WEXITSTATUS(status), 0);
    return 0;
}
