// Threads that compute are interrupted by another process's signals, 10,000 (a million with GP_FULL=1): all are counted, and all registers are intact, although the handler uses them too and lets others run.
#include "thread/registers.h"

enum { THREADS = 4 };
static long expected, received, sum;
static int stop;

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    int saved = errno;
    long n = __atomic_add_fetch(&received, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&sum, info->si_value.sival_int, __ATOMIC_SEQ_CST);
    hold_registers(~(uint64_t)n, 1);
    if (n % (expected / 20) == 0)
        sched_yield();
    errno = saved;
}

static void *compute(void *arg) {
    int me = (int)(long)arg;
    errno = 1000 + me;
    for (uint64_t round = 1; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); round++) {
        hold_registers((uint64_t)me << 40 | round, 500);
        CHECK_EQ(errno, 1000 + me);
    }
    return arg;
}

int main(void) {
    expected = full_run() ? 1000000 : 10000;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 5);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGRTMIN + 5, &sa, NULL));
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++)
        t[i] = spawn(compute, (void *)(i + 1));
    // Main blocks them, so that they go to those who compute.
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pid_t parent = getpid(), pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        for (long i = 0; i < expected;) {
            if (sigqueue(parent, SIGRTMIN + 5, (union sigval){.sival_int = (int)(i % 1000)}) == 0)
                i++;
            else if (errno == EAGAIN)
                usleep(100);
            else
                _exit(1);
        }
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    EVENTUALLY(__atomic_load_n(&received, __ATOMIC_SEQ_CST) == expected);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_EQ(received, expected);
    CHECK_EQ(sum, expected / 1000 * (999 * 1000 / 2));
    return 0;
}
