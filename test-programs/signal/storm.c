// Another process's storm of real-time signals (20,000; a million with GP_FULL=1) arrives complete and in order while threads block, switch and allocate; their work is undisturbed.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

enum { PAIRS = 4 };
static long expected;
static volatile long received, out_of_order;
static int stop;
static long passed;
static sem_t turn[PAIRS][2];

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)sig;
    (void)context;
    if (info->si_value.sival_int != (int)received)
        out_of_order++;
    received++;
}

static void *pass_on(void *arg) {
    long me = (long)arg, pair = me / 2, side = me % 2;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        while (sem_wait(&turn[pair][side]) == -1)
            CHECK_EQ(errno, EINTR);
        char *block = malloc(64 + (size_t)passed % 512);
        block[0] = 1;
        free(block);
        __atomic_add_fetch(&passed, 1, __ATOMIC_SEQ_CST);
        CHECK_OK(sem_post(&turn[pair][!side]));
    }
    CHECK_OK(sem_post(&turn[pair][!side]));
    return NULL;
}

int main(void) {
    expected = full_run() ? 1000000 : 20000;
    // Only one thread takes them, so that their order is defined.
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 6);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGRTMIN + 6, &sa, NULL));
    pthread_t t[2 * PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        CHECK_OK(sem_init(&turn[i][0], 0, 1));
        CHECK_OK(sem_init(&turn[i][1], 0, 0));
    }
    for (long i = 0; i < 2 * PAIRS; i++)
        t[i] = spawn(pass_on, (void *)i);
    // The limit of what may be pending is the user's: other programs need some of it, too.
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_SIGPENDING, &limit));
    if (limit.rlim_cur > 5000)
        limit.rlim_cur = 5000;
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &limit));
    pid_t parent = getpid(), pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        for (long i = 0; i < expected;) {
            if (sigqueue(parent, SIGRTMIN + 6, (union sigval){.sival_int = (int)i}) == 0)
                i++;
            else if (errno == EAGAIN)
                usleep(100);
            else
                _exit(1);
        }
        _exit(0);
    }
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(wait_child(pid), 0);
    EVENTUALLY(received == expected);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 2 * PAIRS; i++)
        join_thread(t[i]);
    CHECK_EQ(received, expected);
    CHECK_EQ(out_of_order, 0);
    CHECK(passed > 0);
    return 0;
}
