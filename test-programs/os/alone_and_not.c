// After other threads have ended, reads and writes are the kernel's; signalfds still see signals, and with a new thread waits let it run.
#include "os/channel.h"
#include <sys/signalfd.h>
#include <sys/time.h>

static void *write_later(void *arg) {
    nap();
    CHECK_EQ(write(*(int *)arg, "y", 1), 1);
    return NULL;
}

static void *nothing(void *arg) { return arg; }

static void use_alone(const int end[2]) {
    char byte;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(write(end[1], "x", 1), 1);
        CHECK_EQ(read(end[0], &byte, 1), 1);
    }
}

int main(void) {
    int end[2];
    open_pipe(end);
    sigset_t set;
    CHECK_OK(sigemptyset(&set));
    CHECK_OK(sigaddset(&set, SIGUSR1));
    for (int round = 0; round < 3; round++) {
        join_thread(spawn(nothing, NULL));
        use_alone(end);
        CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
        int signals = signalfd(-1, &set, 0);
        CHECK_OK(signals);
        use_alone(end);
        CHECK_RC(pthread_kill(pthread_self(), SIGUSR1), 0);
        struct signalfd_siginfo info;
        CHECK_EQ(read(signals, &info, sizeof info), sizeof info);
        CHECK_EQ(info.ssi_signo, SIGUSR1);
        CHECK_OK(close(signals));
        CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);

        use_alone(end);
        pthread_t t = spawn(write_later, &end[1]);
        char byte;
        CHECK_EQ(read(end[0], &byte, 1), 1);
        CHECK_EQ(byte, 'y');
        join_thread(t);

        // A signal ends the wait of the only thread.
        on_signal(SIGALRM, count_signal, 0);
        signals_seen = 0;
        use_alone(end);
        struct itimerval soon = {.it_value.tv_usec = 20000, .it_interval.tv_usec = 20000};
        CHECK_OK(setitimer(ITIMER_REAL, &soon, NULL));
        CHECK_ERR(read(end[0], &byte, 1), EINTR);
        CHECK_OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL));
        CHECK(signals_seen > 0);

        pid_t child = fork();
        CHECK_OK(child);
        if (child == 0) {
            use_alone(end);
            t = spawn(write_later, &end[1]);
            CHECK_EQ(read(end[0], &byte, 1), 1);
            join_thread(t);
            _exit(0);
        }
        CHECK_EQ(wait_child(child), 0);
    }
    return 0;
}
