// A program that a thread executes starts with that thread's signal mask and with the ignored signals, handlers back at their default.
#include "thread/rerun.h"

static void handler(int sig) { (void)sig; }

static int blocked(int sig) {
    sigset_t set;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, sig);
}

static void *executes(void *arg) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 7);
    CHECK_RC(pthread_sigmask(SIG_SETMASK, &set, NULL), 0);
    struct outcome o = rerun("look");
    CHECK_EXIT(o, 0);
    CHECK_STR(o.output, "same");
    return arg;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc == 2) {
        struct sigaction sa;
        CHECK(blocked(SIGUSR1) && blocked(SIGRTMIN + 7) && !blocked(SIGUSR2) && !blocked(SIGHUP));
        CHECK(!blocked(SIGALRM) && !blocked(SIGCHLD) && !blocked(SIGPROF));
        CHECK_OK(sigaction(SIGHUP, NULL, &sa));
        CHECK(sa.sa_handler == SIG_IGN);
        CHECK_OK(sigaction(SIGTERM, NULL, &sa));
        CHECK(sa.sa_handler == SIG_DFL);
        say("same");
        return 0;
    }
    CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGTERM, handler) != SIG_ERR);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    join_thread(spawn(executes, NULL));
    return 0;
}
