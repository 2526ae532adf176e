// A canonical terminal gives its reader whole lines, as another thread types them; VEOF ends, the echo comes back.
#include "os/channel.h"

static void open_pty(int end[2]) {
    open_raw_pty(end);
    struct termios mode;
    CHECK_OK(tcgetattr(end[0], &mode));
    mode.c_lflag |= ICANON | ECHO;
    mode.c_oflag |= OPOST | ONLCR;
    CHECK_OK(tcsetattr(end[0], TCSANOW, &mode));
}

static void *type(void *arg) {
    int fd = *(int *)arg;
    for (const char *at = "hello\nab\177c\nxy\004\004"; *at != '\0'; at++) {
        nap();
        CHECK_EQ(write(fd, at, 1), 1);
    }
    return NULL;
}

static void close_fd(int fd) { CHECK_OK(close(fd)); }

int main(void) {
    int end[2];
    open_pty(end);
    pthread_t t = spawn(type, &end[1]);
    char data[100];
    CHECK_EQ(read(end[0], data, 3), 3); // a line in two pieces
    CHECK_EQ(read(end[0], data + 3, 97), 3);
    CHECK(memcmp(data, "hello\n", 6) == 0);
    CHECK_EQ(read(end[0], data, sizeof data), 3); // one erased
    CHECK(memcmp(data, "ac\n", 3) == 0);
    CHECK_EQ(read(end[0], data, sizeof data), 2);
    CHECK(memcmp(data, "xy", 2) == 0);
    CHECK_EQ(read(end[0], data, sizeof data), 0);
    join_thread(t);
    read_whole(end[1], data, 7);
    CHECK(memcmp(data, "hello\r\n", 7) == 0);

    // The reader of a master waits for what the terminal prints, and gets EIO once nobody has the terminal open.
    int fresh[2];
    open_pty(fresh);
    struct later later = {.fd = fresh[0], .data = "out\n", .len = 4};
    t = spawn(do_later, &later);
    read_whole(fresh[1], data, 5);
    CHECK(memcmp(data, "out\r\n", 5) == 0);
    join_thread(t);
    later = (struct later){.fd = fresh[0], .act = close_fd};
    t = spawn(do_later, &later);
    CHECK_ERR(read(fresh[1], data, sizeof data), EIO);
    join_thread(t);

    // The other way round the terminal is hung up: an error or the end of file for who waits, then the end of file.
    later = (struct later){.fd = end[1], .act = close_fd};
    t = spawn(do_later, &later);
    errno = 0;
    ssize_t n = read(end[0], data, sizeof data);
    CHECK(n == 0 || (n == -1 && errno == EIO));
    join_thread(t);
    CHECK_EQ(read(end[0], data, sizeof data), 0);
    return 0;
}
