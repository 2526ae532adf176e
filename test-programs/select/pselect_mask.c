// pselect: its mask lets a blocked signal in while it waits; the time is not written back.
#include "os/channel.h"
#include <sys/select.h>

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
    on_signal(SIGUSR2, count_signal, 0);
    struct later later = {.act = signal_main};
    pthread_t t = spawn(do_later, &later);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(end[0], &in);
    struct timespec minute = {.tv_sec = 60};
    CHECK_ERR(pselect(end[0] + 1, &in, NULL, NULL, &minute, &open_mask), EINTR);
    CHECK_EQ(signals_seen, 1);
    CHECK_EQ(minute.tv_sec, 60);
    CHECK(FD_ISSET(end[0], &in)); // untouched by an error
    join_thread(t);

    later = (struct later){.fd = end[1], .data = "x", .len = 1};
    t = spawn(do_later, &later);
    CHECK_EQ(pselect(end[0] + 1, &in, NULL, NULL, NULL, &open_mask), 1);
    join_thread(t);
    CHECK_OK(kill(getpid(), SIGUSR2));
    CHECK_EQ(pselect(end[0] + 1, &in, NULL, NULL, &minute, NULL), 1);
    CHECK_EQ(signals_seen, 1); // still blocked
    return 0;
}
