// sigaction: what was set reads back, SA_RESETHAND, SA_NODEFER, sa_mask, SIG_IGN and SIG_DFL, siginterrupt; EINVAL for SIGKILL, SIGSTOP and bad numbers.
#include "check.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static volatile int depth, deepest, calls, order[8], entries;
static int flags;

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static void nested(int sig) {
    calls++;
    depth++;
    if (depth > deepest)
        deepest = depth;
    CHECK_EQ(blocked(sig), (flags & SA_NODEFER) == 0);
    CHECK(blocked(SIGUSR2));
    if (depth < 3 && calls < 3)
        raise(sig);
    depth--;
}

static void enter_and_leave(int sig) {
    order[entries++] = sig;
    if (sig == SIGUSR1)
        raise(SIGUSR2);
    order[entries++] = -sig;
}

static void *run(void *arg) {
    struct sigaction sa = {.sa_handler = nested}, old;
    sigaddset(&sa.sa_mask, SIGUSR2);

    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK_OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == nested && sigismember(&old.sa_mask, SIGUSR2) && !sigismember(&old.sa_mask, SIGUSR1));
    calls = deepest = 0;
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(calls, 3);
    CHECK_EQ(deepest, 1);
    CHECK(!blocked(SIGUSR1) && !blocked(SIGUSR2));

    sa.sa_flags = flags = SA_NODEFER;
    CHECK_OK(sigaction(SIGUSR1, &sa, &old));
    CHECK_EQ(old.sa_flags & SA_NODEFER, 0);
    calls = deepest = 0;
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(calls, 3);
    CHECK_EQ(deepest, 3);
    CHECK(!blocked(SIGUSR1) && !blocked(SIGUSR2));
    CHECK_OK(sigaction(SIGUSR1, NULL, &old));
    CHECK_EQ(old.sa_flags & SA_NODEFER, SA_NODEFER);

    sa.sa_flags = (int)SA_RESETHAND;
    flags = 0;
    CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
    calls = 2;
    CHECK_OK(raise(SIGCHLD));
    CHECK_EQ(calls, 3);
    CHECK_OK(raise(SIGCHLD));
    CHECK_EQ(calls, 3);
    CHECK_OK(sigaction(SIGCHLD, NULL, &old));
    CHECK(old.sa_handler == SIG_DFL);

    // The second handler interrupts the first.
    struct sigaction plain = {.sa_handler = enter_and_leave};
    CHECK_OK(sigaction(SIGUSR1, &plain, NULL));
    CHECK_OK(sigaction(SIGUSR2, &plain, NULL));
    entries = 0;
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(entries, 4);
    CHECK(order[0] == SIGUSR1 && order[1] == SIGUSR2 && order[2] == -SIGUSR2 && order[3] == -SIGUSR1);

    CHECK(signal(SIGUSR1, SIG_IGN) == enter_and_leave);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(entries, 4);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    CHECK(signal(SIGUSR1, enter_and_leave) == SIG_DFL);
    CHECK_OK(sigaction(SIGUSR1, NULL, &old));
    CHECK_EQ(old.sa_flags & SA_RESTART, SA_RESTART);
    CHECK_OK(siginterrupt(SIGUSR1, 1));
    CHECK_OK(sigaction(SIGUSR1, NULL, &old));
    CHECK_EQ(old.sa_flags & SA_RESTART, 0);
    CHECK_OK(siginterrupt(SIGUSR1, 0));

    CHECK_ERR(sigaction(SIGKILL, &plain, NULL), EINVAL);
    CHECK_ERR(sigaction(SIGSTOP, &plain, NULL), EINVAL);
    CHECK_ERR(sigaction(0, &plain, NULL), EINVAL);
    CHECK_ERR(sigaction(65, &plain, NULL), EINVAL);
    CHECK_OK(sigaction(SIGKILL, NULL, &old));
    return arg;
}

int main(void) {
    run(NULL);
    flags = 0;
    join_thread(spawn(run, NULL));
    return 0;
}
