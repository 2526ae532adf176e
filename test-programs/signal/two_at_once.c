// Two signals that come at the same moment, over and over, with handlers on an alternate stack: each handler runs once
// for each, and the program goes on where it was.
#include "check.h"
#include <sys/time.h>

static volatile sig_atomic_t users, alarms;

static void on_signal(int signal) { *(signal == SIGUSR1 ? &users : &alarms) += 1; }

// It lets no signal in: which ones the process as a whole holds back is then up to the main thread.
static void *stay_parked(void *arg) {
    sigset_t all;
    sigfillset(&all);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    *(volatile int *)arg = 1;
    for (;;)
        pause();
    return NULL;
}

int main(void) {
    volatile int parked = 0;
    spawn(stay_parked, (void *)&parked);
    EVENTUALLY(parked);
    static char memory[65536];
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    CHECK_OK(sigaltstack(&stack, NULL));
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    int rounds = full_run() ? 200000 : 10000;
    for (int i = 1; i <= rounds; i++) {
        struct itimerval soon = {.it_value = {.tv_usec = 1 + i % 11}};
        CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
        CHECK_OK(kill(getpid(), SIGUSR1));
        while (users < i || alarms < i) {
        }
        CHECK_EQ(users, i);
        CHECK_EQ(alarms, i);
    }
    return 0;
}
