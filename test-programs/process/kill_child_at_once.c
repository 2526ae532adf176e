// A signal sent to a child that has only just been forked ends it, or runs its handler, as later on; none is lost.
#include "check.h"

static volatile sig_atomic_t caught;

static void on_signal(int signal) { caught = signal; }

static void *stay_parked(void *arg) {
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static pid_t fork_child(void) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        while (!caught)
            usleep(1000);
        _exit(caught);
    }
    return pid;
}

int main(void) {
    spawn(stay_parked, NULL);
    const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTERM, SIGUSR2};
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) {
            pid_t pid = fork_child();
            CHECK_OK(kill(pid, fatal[i]));
            int status;
            CHECK_EQ(waitpid(pid, &status, 0), pid);
            CHECK(WIFSIGNALED(status));
            CHECK_EQ(WTERMSIG(status), fatal[i]);
        }
    }
    struct sigaction action = {.sa_handler = on_signal};
    for (int round = 0; round < 30; round++) {
        int number = round % 3 == 0 ? SIGSEGV : SIGUSR1;
        CHECK_OK(sigaction(number, &action, NULL));
        pid_t pid = fork_child();
        CHECK_OK(kill(pid, number));
        CHECK_EQ(wait_child(pid), number << 8);
    }
    return 0;
}
