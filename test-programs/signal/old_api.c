// The old interfaces: sighold, sigrelse, sigignore, sigset, sigpause, sigblock, sigsetmask, sigandset and kin, killpg, psignal.
#include "check.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static volatile int handled;

static void on_signal(int sig) {
    (void)sig;
    handled++;
}

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static void *use(void *arg) {
    handled = 0;
    CHECK(sigset(SIGUSR1, on_signal) != SIG_ERR);
    CHECK_OK(sighold(SIGUSR1));
    CHECK(blocked(SIGUSR1));
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(handled, 0);
    CHECK_OK(sigrelse(SIGUSR1));
    CHECK_EQ(handled, 1);
    CHECK(sigset(SIGUSR1, SIG_HOLD) == on_signal);
    CHECK(blocked(SIGUSR1));
    CHECK_OK(raise(SIGUSR1));
    CHECK_ERR(sigpause(SIGUSR1), EINTR);
    CHECK_EQ(handled, 2);
    CHECK(blocked(SIGUSR1));
    CHECK(sigset(SIGUSR1, on_signal) == SIG_HOLD);
    CHECK(!blocked(SIGUSR1));
    CHECK_OK(sigignore(SIGUSR1));
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(handled, 2);
    CHECK(signal(SIGUSR1, on_signal) == SIG_IGN);

    int usr1_bit = 1 << (SIGUSR1 - 1);
    int old = sigblock(usr1_bit);
    CHECK(blocked(SIGUSR1));
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(sigsetmask(old), old | usr1_bit);
    CHECK_EQ(handled, 3);

    sigset_t a, b, both;
    sigemptyset(&a);
    sigemptyset(&b);
    CHECK(sigisemptyset(&a));
    sigaddset(&a, SIGUSR1);
    sigaddset(&b, SIGUSR2);
    CHECK_OK(sigandset(&both, &a, &b));
    CHECK(sigisemptyset(&both));
    CHECK_OK(sigorset(&both, &a, &b));
    CHECK(sigismember(&both, SIGUSR1) && sigismember(&both, SIGUSR2));
    CHECK_ERR(sigaddset(&a, 99), EINVAL);
    CHECK_ERR(sigismember(&a, 0), EINVAL);
    return arg;
}

int main(void) {
    use(NULL);
    join_thread(spawn(use, NULL));
    // A group of its own, so that nobody else is hit.
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_OK(setpgid(0, 0));
        handled = 0;
        CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
        CHECK_OK(killpg(0, SIGUSR1));
        EVENTUALLY(handled == 1);
        CHECK_OK(killpg(getpgrp(), SIGUSR1));
        EVENTUALLY(handled == 2);
        CHECK_ERR(killpg(0x3ffffffe, SIGUSR1), ESRCH);
        int ends[2];
        char text[64] = "";
        CHECK_OK(pipe(ends));
        CHECK_OK(dup2(ends[1], 2));
        psignal(SIGUSR1, "got");
        CHECK(read(ends[0], text, sizeof text - 1) > 0);
        _exit(strcmp(text, "got: User defined signal 1\n") == 0 ? 0 : 2);
    }
    CHECK_EQ(wait_child(pid), 0);
    return 0;
}
