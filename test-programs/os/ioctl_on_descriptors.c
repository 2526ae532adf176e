// ioctl gives what it gives without the shim, on descriptors that threads wait on.
#include "os/channel.h"
#include <sys/ioctl.h>

static void *read_until_closed(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(read_until_closed, &gate[0]);
    for (int k = 0; k < KINDS; k++) {
        int end[2], n = -1;
        char c;
        kinds[k].open(end);
        struct later later = {.fd = end[1], .data = "abc", .len = 1};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(read(end[0], &c, 1), 1);
        join_thread(t);
        CHECK_OK(ioctl(end[0], FIONREAD, &n));
        CHECK_EQ(n, 0);
        CHECK_EQ(write(end[1], "abc", 3), 3);
        EVENTUALLY(ioctl(end[0], FIONREAD, &n) == 0 && n == 3);
        close_both(end);
    }
    CHECK_ERR(ioctl(0x7fff, FIONREAD, NULL), EBADF);
    CHECK_OK(close(gate[1]));
    join_thread(parked);

    int pty[2];
    open_raw_pty(pty);
    struct winsize size = {.ws_row = 11, .ws_col = 22}, back;
    CHECK_OK(ioctl(pty[1], TIOCSWINSZ, &size));
    CHECK_OK(ioctl(pty[0], TIOCGWINSZ, &back));
    CHECK_EQ(back.ws_col, 22);
    CHECK_EQ(write(pty[0], "x", 1), 1);
    CHECK_OK(tcdrain(pty[0]));
    CHECK_ERR(ioctl(gate[0], TIOCGWINSZ, &back), ENOTTY);
    return 0;
}
