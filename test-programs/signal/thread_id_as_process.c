// Where the kernel takes any thread's id for its process: kill, sigqueue, getpgid, getsid, prlimit and ioprio_get by the id of a thread.
#include "check.h"
#include <signal.h>
#include <sys/resource.h>

static pid_t tid;
static volatile sig_atomic_t value;

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    value = info->si_value.sival_int + 1;
}

static void *linger(void *arg) {
    sigset_t all;
    sigfillset(&all);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    __atomic_store_n(&tid, gettid(), __ATOMIC_SEQ_CST);
    EVENTUALLY(__atomic_load_n(&tid, __ATOMIC_SEQ_CST) == 0);
    return arg;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_OK(sigaction(SIGRTMIN, &action, NULL));
    pthread_t t = spawn(linger, NULL);
    EVENTUALLY(__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0);
    pid_t other = tid;

    // The thread blocks them, so main's handler runs: the signal is the process's.
    CHECK_OK(sigqueue(other, SIGRTMIN, (union sigval){.sival_int = 41}));
    EVENTUALLY(value == 42);
    value = 0;
    CHECK_OK(kill(other, SIGUSR1));
    EVENTUALLY(value != 0);
    CHECK_OK(kill(other, 0));
    CHECK_ERR(kill(other, 65), EINVAL);

    CHECK_EQ(getpgid(other), getpgid(0));
    CHECK_EQ(getsid(other), getsid(0));
    struct rlimit mine, theirs;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &mine));
    CHECK_OK(prlimit(other, RLIMIT_NOFILE, NULL, &theirs));
    CHECK_EQ(theirs.rlim_cur, mine.rlim_cur);
    CHECK_OK(syscall(SYS_ioprio_get, 1, other));

    __atomic_store_n(&tid, 0, __ATOMIC_SEQ_CST);
    join_thread(t);
    EVENTUALLY(kill(other, 0) == -1 && errno == ESRCH);
    return 0;
}
