// A raw terminal's VMIN and VTIME decide when its reader returns.
#include "os/channel.h"

static void set_mode(int fd, int min, int time) {
    struct termios mode;
    CHECK_OK(tcgetattr(fd, &mode));
    mode.c_cc[VMIN] = min;
    mode.c_cc[VTIME] = time;
    CHECK_OK(tcsetattr(fd, TCSANOW, &mode));
}

static void *type_slowly(void *arg) {
    for (int i = 0; i < 5; i++) {
        nap();
        CHECK_EQ(write(*(int *)arg, "12345" + i, 1), 1);
    }
    return NULL;
}

int main(void) {
    int end[2];
    open_raw_pty(end);
    char data[10];

    set_mode(end[0], 5, 0); // waits for five
    pthread_t t = spawn(type_slowly, &end[1]);
    CHECK_EQ(read(end[0], data, sizeof data), 5);
    CHECK(memcmp(data, "12345", 5) == 0);
    join_thread(t);

    int other[2];
    open_pipe(other);
    struct later later = {.fd = other[1], .data = "x", .len = 1};
    t = spawn(do_later, &later);
    set_mode(end[0], 0, 0); // never waits
    CHECK_EQ(read(end[0], data, sizeof data), 0);
    set_mode(end[0], 0, 1); // a tenth of a second at most
    CHECK_EQ(read(end[0], data, sizeof data), 0);
    CHECK_EQ(write(end[1], "ab", 2), 2);
    CHECK_EQ(read(end[0], data, sizeof data), 2);
    CHECK_EQ(read(other[0], data, 1), 1);
    join_thread(t);
    return 0;
}
