// A read of a signalfd waits for a signal that another thread sends, to the process or to the reader itself.
#include "os/channel.h"
#include <sys/signalfd.h>

static void *read_one(void *arg) {
    int fd = *(int *)arg;
    struct signalfd_siginfo info;
    CHECK_EQ(read(fd, &info, sizeof info), sizeof info);
    return (void *)(intptr_t)info.ssi_signo;
}

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    CHECK(fd >= 0);

    for (int i = 0; i < 10; i++) {
        pthread_t t = spawn(read_one, &fd);
        nap();
        CHECK_OK(kill(getpid(), i % 2 ? SIGUSR1 : SIGUSR2));
        CHECK_EQ((intptr_t)join_thread(t), i % 2 ? SIGUSR1 : SIGUSR2);
    }
    for (int i = 0; i < 10; i++) {
        pthread_t t = spawn(read_one, &fd);
        nap();
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        CHECK_EQ((intptr_t)join_thread(t), SIGUSR1);
    }

    struct signalfd_siginfo info[4];
    union sigval value = {.sival_int = 4711};
    CHECK_OK(sigqueue(getpid(), SIGUSR1, value));
    CHECK_OK(kill(getpid(), SIGUSR2));
    CHECK_EQ(read(fd, info, sizeof info), 2 * sizeof info[0]);
    int queued = info[0].ssi_signo == SIGUSR1 ? 0 : 1;
    CHECK_EQ(info[queued].ssi_signo, SIGUSR1);
    CHECK_EQ(info[queued].ssi_int, 4711);
    CHECK_EQ(info[queued].ssi_pid, getpid());
    CHECK_EQ(info[!queued].ssi_signo, SIGUSR2);
    CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
    return 0;
}
