// The ucontext of a handler that interrupts a parked thread names that thread's stack and mask; a mask changed in it holds after the handler.
#include "check.h"
#include <ucontext.h>

static int ends[2], done;
static __thread char *low, *high;

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static void on_signal(int sig, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    char *sp = (char *)uc->uc_mcontext.gregs[REG_RSP];
    CHECK_EQ(info->si_signo, sig);
    CHECK(sp > low && sp < high);
    CHECK(uc->uc_mcontext.gregs[REG_RIP] != 0);
    CHECK(!sigismember(&uc->uc_sigmask, SIGUSR1));
    CHECK_EQ(sigismember(&uc->uc_sigmask, SIGUSR2), !sigismember(&uc->uc_sigmask, SIGHUP));
    CHECK(blocked(SIGUSR1) && blocked(SIGTERM));
    CHECK_EQ(blocked(SIGUSR2), sigismember(&uc->uc_sigmask, SIGUSR2));
    sigaddset(&uc->uc_sigmask, SIGHUP);
    sigdelset(&uc->uc_sigmask, SIGUSR2);
}

static void *park(void *arg) {
    pthread_attr_t attr;
    void *stack;
    size_t size;
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_getstack(&attr, &stack, &size), 0);
    pthread_attr_destroy(&attr);
    low = stack;
    high = low + size;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    for (int i = 0; i < 20; i++) {
        CHECK_RC(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
        char c;
        // A signal that came before the read has had its effect on the mask as well.
        while (!blocked(SIGHUP))
            CHECK_ERR(read(ends[0], &c, 1), EINTR);
        CHECK(blocked(SIGHUP) && !blocked(SIGUSR2) && !blocked(SIGUSR1));
    }
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaddset(&sa.sa_mask, SIGTERM);
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    // The thread opens itself for the signal when it is ready.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pthread_t t = spawn(park, NULL);
    sleep_ms(2);
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
        pthread_kill(t, SIGUSR1);
        sched_yield();
    }
    join_thread(t);
    return 0;
}
