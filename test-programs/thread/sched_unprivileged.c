// What an ordinary user may change of another thread's scheduling: nice values up only, real-time within RLIMIT_RTPRIO, down always; EACCES and EPERM.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

static sem_t ready, hold;
static pid_t tid;

static void *park(void *arg) {
    tid = gettid();
    CHECK_OK(sem_post(&ready));
    CHECK_OK(sem_wait(&hold));
    return arg;
}

static int set(int policy, int priority) {
    struct sched_param param = {.sched_priority = priority};
    return sched_setscheduler(tid, policy, &param);
}

static void as_user(void) {
    // More where the limits can be raised, which takes CAP_SYS_RESOURCE.
    int raised = setrlimit(RLIMIT_RTPRIO, &(struct rlimit){5, 5}) == 0 && setrlimit(RLIMIT_NICE, &(struct rlimit){10, 10}) == 0;
    if (!raised) {
        CHECK_OK(setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0}));
        CHECK_OK(setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0}));
    }
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));
    if (set(SCHED_FIFO, 9) != 0)
        _exit(77);
    CHECK_OK(setpriority(PRIO_PROCESS, (id_t)tid, -3));
    if (setresgid(54321, 54321, 54321) != 0 || setresuid(54321, 54321, 54321) != 0)
        _exit(77);
    // What it has may be kept and lowered.
    CHECK_OK(set(SCHED_FIFO, 9));
    CHECK_ERR(set(SCHED_FIFO, 10), EPERM);
    CHECK_OK(set(SCHED_FIFO, 8));
    CHECK_ERR(set(SCHED_FIFO, 9), EPERM);
    if (raised) {
        CHECK_OK(set(SCHED_FIFO, 3));
        CHECK_OK(set(SCHED_FIFO, 5));
        CHECK_OK(set(SCHED_OTHER, 0));
        CHECK_ERR(set(SCHED_RR, 6), EPERM);
        CHECK_OK(set(SCHED_RR, 2));
        CHECK_ERR(set(SCHED_RR, 99), EPERM);
        CHECK_EQ(sched_getscheduler(tid), SCHED_RR);
        CHECK_OK(setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0}));
        CHECK_OK(set(SCHED_RR, 1));
        CHECK_ERR(set(SCHED_RR, 2), EPERM);
        CHECK_ERR(set(SCHED_FIFO, 1), EPERM);
    }
    CHECK_OK(set(SCHED_OTHER, 0));
    CHECK_ERR(set(SCHED_RR, 1), EPERM);
    CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), -3);
    CHECK_OK(setpriority(PRIO_PROCESS, (id_t)tid, 15));
    CHECK_EQ(getpriority(PRIO_PROCESS, (id_t)tid), 15);
    CHECK_OK(set(SCHED_IDLE, 0));
    CHECK_OK(set(SCHED_IDLE | SCHED_RESET_ON_FORK, 0));
    CHECK_ERR(set(SCHED_IDLE, 0), EPERM);
    if (raised) {
        CHECK_OK(setpriority(PRIO_PROCESS, (id_t)tid, 10)); // RLIMIT_NICE 10 allows 20 - 10
        CHECK_OK(set(SCHED_BATCH | SCHED_RESET_ON_FORK, 0));
        CHECK_OK(set(SCHED_IDLE | SCHED_RESET_ON_FORK, 0));
        CHECK_ERR(setpriority(PRIO_PROCESS, (id_t)tid, 9), EACCES);
        CHECK_OK(setrlimit(RLIMIT_NICE, &(struct rlimit){0, 0}));
    } else {
        CHECK_ERR(setpriority(PRIO_PROCESS, (id_t)tid, 14), EACCES);
    }
    CHECK_ERR(set(SCHED_OTHER | SCHED_RESET_ON_FORK, 0), EPERM);
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    _exit(0);
}

int main(void) {
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        as_user();
    int status = wait_child(pid);
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        SKIP("only root may use real-time priorities and become another user");
    CHECK_EQ(WEXITSTATUS(status), 0);
    return 0;
}
