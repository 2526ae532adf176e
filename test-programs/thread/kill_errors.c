// pthread_kill, tgkill, tkill with signal 0 and with bad threads, groups and signals: 0, ESRCH, EINVAL.
#include "check.h"
#include <semaphore.h>

static sem_t ready, hold;
static pid_t tid;

static void *park(void *arg) {
    tid = gettid();
    sem_post(&ready);
    sem_wait(&hold);
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));
    CHECK_RC(pthread_kill(t, 0), 0);
    CHECK_RC(pthread_kill(pthread_self(), 0), 0);
    CHECK_RC(pthread_kill(t, 999), EINVAL);
    CHECK_RC(pthread_kill(t, -1), EINVAL);
    CHECK_OK(tgkill(getpid(), tid, 0));
    CHECK_OK(syscall(SYS_tkill, tid, 0));
    CHECK_ERR(tgkill(getpid(), tid, 999), EINVAL);
    CHECK_ERR(tgkill(getpid(), 0x3ffffffe, 0), ESRCH);
    CHECK_ERR(tgkill(getpid(), 0x3ffffffe, SIGUSR1), ESRCH);
    CHECK_ERR(tgkill(getppid(), tid, 0), ESRCH);
    CHECK_ERR(tgkill(getpid(), 0, 0), EINVAL);
    CHECK_ERR(tgkill(getpid(), -1, 0), EINVAL);
    CHECK_ERR(tgkill(0, tid, 0), EINVAL);
    CHECK_ERR(syscall(SYS_tkill, 0x3ffffffe, 0), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
    CHECK_OK(kill(getpid(), 0));
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    EVENTUALLY(tgkill(getpid(), tid, 0) == -1);
    CHECK_ERR(tgkill(getpid(), tid, 0), ESRCH);
    return 0;
}
