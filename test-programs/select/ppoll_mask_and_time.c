// ppoll: its mask lets a blocked signal in while it waits, only then; its timeout is to the nanosecond and unchanged.
#include "os/channel.h"

static void signal_main(int unused) {
    (void)unused;
    CHECK_OK(kill(getpid(), SIGUSR2));
}

int main(void) {
    int end[2];
    open_pipe(end);
    sigset_t block, open_mask;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &block, &open_mask), 0);
    on_signal(SIGUSR2, count_signal, SA_RESTART); // never restarted

    struct pollfd p = {.fd = end[0], .events = POLLIN};
    signals_seen = 0;
    struct later later = {.act = signal_main};
    pthread_t t = spawn(do_later, &later); // with SIGUSR2 blocked, so it is for main
    CHECK_ERR(ppoll(&p, 1, NULL, &open_mask), EINTR);
    CHECK_EQ(signals_seen, 1);
    join_thread(t);
    sigset_t now;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGUSR2));

    // Pending before the call: at once.
    CHECK_OK(kill(getpid(), SIGUSR2));
    CHECK_EQ(signals_seen, 1);
    CHECK_ERR(ppoll(&p, 1, NULL, &open_mask), EINTR);
    CHECK_EQ(signals_seen, 2);

    // Ready or not, without its mask it stays pending.
    CHECK_OK(kill(getpid(), SIGUSR2));
    struct timespec time = {.tv_nsec = 3000000};
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    CHECK_EQ(ppoll(&p, 1, &time, NULL), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 3000000);
    CHECK_EQ(time.tv_nsec, 3000000);
    CHECK_EQ(signals_seen, 2);
    CHECK_RC(pthread_sigmask(SIG_SETMASK, &open_mask, NULL), 0);
    CHECK_EQ(signals_seen, 3);
    CHECK_INTERRUPTED(ppoll(&p, 1, NULL, NULL));
    CHECK_INTERRUPTED(poll(&p, 1, -1));
    CHECK_ERR(ppoll(&p, 1, &(struct timespec){.tv_nsec = 1000000000}, NULL), EINVAL);
    return 0;
}
