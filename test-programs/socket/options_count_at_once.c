// O_NONBLOCK and timeouts that another thread, number or process sets count for the next call, also on an empty socket.
#include "os/channel.h"

static int in, out;

static void empty(void) {
    char got[100];
    CHECK_EQ(write(out, "abc", 3), 3);
    CHECK_EQ(read(in, got, sizeof got), 3);
}

static void fails_with_eagain(void) {
    char got[100];
    CHECK_EQ(read(in, got, sizeof got), -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(recv(in, got, sizeof got, 0), -1);
    CHECK_EQ(errno, EAGAIN);
}

static void *change(void *how) {
    ((void (*)(void))how)();
    return NULL;
}

static void set_nonblocking(void) { CHECK_OK(fcntl(in, F_SETFL, O_RDWR | O_NONBLOCK)); }
static void set_by_ioctl(void) { CHECK_OK(ioctl(in, FIONBIO, &(int){1})); }

static void set_by_duplicate(void) {
    int other = dup(in);
    CHECK(other != -1);
    CHECK_OK(fcntl(other, F_SETFL, O_RDWR | O_NONBLOCK));
    CHECK_OK(close(other));
}

static int early_duplicate;
static void set_by_early_duplicate(void) { CHECK_OK(fcntl(early_duplicate, F_SETFL, O_RDWR | O_NONBLOCK)); }

static void set_by_child(void) {
    pid_t child = fork();
    CHECK(child != -1);
    if (child == 0)
        _exit(fcntl(in, F_SETFL, O_RDWR | O_NONBLOCK));
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void set_timeout(void) {
    struct timeval soon = {0, 20000};
    CHECK_OK(setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
}

int main(void) {
    void (*const opens[])(int *) = {open_stream, open_tcp};
    void (*const changes[])(void) = {set_nonblocking,        set_by_ioctl, set_by_duplicate,
                                     set_by_early_duplicate, set_by_child, set_timeout};
    for (size_t o = 0; o < 2; o++)
        for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
            int end[2];
            opens[o](end);
            in = end[0], out = end[1];
            CHECK((early_duplicate = dup3(in, 700, O_CLOEXEC)) == 700);
            empty();
            empty();
            join_thread(spawn(change, (void *)changes[c]));
            fails_with_eagain();
            CHECK_EQ(write(out, "abc", 3), 3);
            char got[100];
            CHECK_EQ(read(in, got, sizeof got), 3);
            fails_with_eagain();
            CHECK_OK(close(in));
            CHECK_OK(close(out));
            CHECK_OK(close(700));
        }
    return 0;
}
