// A write without reader fails with EPIPE and raises SIGPIPE, also when the last reader goes while the writer waits.
#include "os/channel.h"

static void close_fd(int fd) { CHECK_OK(close(fd)); }

int main(void) {
    static char big[1 << 20];
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        if (!(kinds[k].traits & HAS_END) || !(kinds[k].traits & IS_STREAM) || strcmp(kinds[k].name, "tcp") == 0)
            continue;
        on_signal(SIGPIPE, count_signal, 0);
        signals_seen = 0;

        kinds[k].open(end);
        CHECK_OK(close(end[0]));
        CHECK_ERR(write(end[1], "x", 1), EPIPE);
        CHECK_EQ(signals_seen, 1);
        struct iovec part = {"x", 1};
        CHECK_ERR(writev(end[1], &part, 1), EPIPE);
        CHECK_EQ(signals_seen, 2);
        CHECK_OK(close(end[1]));

        // The part that was written before the reader went counts; the next write fails. A pipe raises the signal for
        // both, a socket only where nothing was written.
        kinds[k].open(end);
        struct later later = {.fd = end[0], .act = close_fd};
        pthread_t t = spawn(do_later, &later);
        errno = 0;
        ssize_t n = write(end[1], big, sizeof big);
        if (n == -1)
            CHECK_EQ(errno, EPIPE);
        else
            CHECK(n < (ssize_t)sizeof big);
        join_thread(t);
        CHECK_EQ(signals_seen, kinds[k].traits & IS_SOCKET && n > 0 ? 2 : 3);
        CHECK_ERR(write(end[1], "x", 1), EPIPE);
        CHECK_OK(close(end[1]));

        signal(SIGPIPE, SIG_IGN);
        kinds[k].open(end);
        CHECK_OK(close(end[0]));
        CHECK_ERR(write(end[1], "x", 1), EPIPE);
        CHECK_OK(close(end[1]));
    }

    // By default the signal ends the process.
    signal(SIGPIPE, SIG_DFL);
    int end[2];
    open_pipe(end);
    struct later later = {.fd = end[0], .act = close_fd};
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        spawn(do_later, &later);
        for (;;)
            write(end[1], big, sizeof big);
    }
    CHECK_OK(close(end[0]));
    int status = wait_child(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGPIPE);
    return 0;
}
