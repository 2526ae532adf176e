// With RLIMIT_SIGPENDING used up, a real-time signal to a thread is EAGAIN and a standard one comes all the same; taken signals make room again.
#include "check.h"
#include <signal.h>
#include <sys/resource.h>

static pid_t target;
static int go;

static void *block_and_wait(void *arg) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    __atomic_store_n(&target, gettid(), __ATOMIC_SEQ_CST);
    EVENTUALLY(__atomic_load_n(&go, __ATOMIC_SEQ_CST) == 1);
    siginfo_t info;
    struct timespec now = {0, 0};
    CHECK_EQ(sigtimedwait(&set, &info, &now), SIGUSR1);
    CHECK_EQ(sigtimedwait(&set, &info, &now), SIGRTMIN);
    CHECK_EQ(info.si_value.sival_int, 7);
    CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
    __atomic_store_n(&go, 2, __ATOMIC_SEQ_CST);
    return arg;
}

static void limit(rlim_t most) {
    struct rlimit limit = {most, RLIM_INFINITY};
    getrlimit(RLIMIT_SIGPENDING, &limit);
    limit.rlim_cur = most;
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
}

int main(void) {
    struct rlimit before;
    CHECK_OK(getrlimit(RLIMIT_SIGPENDING, &before));
    pthread_t t = spawn(block_and_wait, NULL);
    EVENTUALLY(__atomic_load_n(&target, __ATOMIC_SEQ_CST) != 0);
    CHECK_RC(pthread_sigqueue(t, SIGRTMIN, (union sigval){.sival_int = 7}), 0);
    limit(0);
    CHECK_RC(pthread_sigqueue(t, SIGRTMIN, (union sigval){.sival_int = 8}), EAGAIN);
    CHECK_RC(pthread_kill(t, SIGRTMIN), EAGAIN);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), target, SIGRTMIN), EAGAIN);
    CHECK_RC(pthread_kill(t, SIGUSR1), 0);
    limit(before.rlim_cur);
    __atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
    EVENTUALLY(__atomic_load_n(&go, __ATOMIC_SEQ_CST) == 2);
    join_thread(t);
    return 0;
}
