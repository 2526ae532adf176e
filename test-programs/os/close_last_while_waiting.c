// The only descriptor of a pipe's end is closed while a thread reads from it: the wait keeps the file, so the data
// written afterwards arrives; only then is the end gone.
#include "os/channel.h"

static pid_t tid;

static void *read_once(void *arg) {
    char data[16];
    about_to_block(&tid);
    ssize_t n = read(*(int *)arg, data, sizeof data);
    CHECK(n == -1 || memcmp(data, "late", 4) == 0);
    return (void *)n;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    void (*const opens[])(int *) = {open_pipe, open_fifo, open_stream, open_seqpacket, open_tcp};
    for (int i = 0; i < 5; i++) {
        int end[2];
        opens[i](end);
        int number = end[0];
        tid = 0;
        pthread_t t = spawn(read_once, &number);
        await_blocked(&tid);
        CHECK_OK(close(end[0]));
        CHECK_ERR(fcntl(number, F_GETFD), EBADF);
        CHECK_EQ(write(end[1], "late", 4), 4);
        CHECK_EQ((intptr_t)join_thread(t), 4);
        int gone = 0; // the end goes once the wait is over
        for (int try = 0; try < 2000 && !gone; try++) {
            gone = write(end[1], "x", 1) == -1 && (errno == EPIPE || errno == ECONNRESET);
            if (!gone)
                sleep_ms(1);
        }
        CHECK(gone);
        CHECK_OK(close(end[1]));
    }
    return 0;
}
