// A reader that waits gets the end of file when another thread closes the last writer, and again at every later read.
#include "os/channel.h"

static void close_fd(int fd) { CHECK_OK(close(fd)); }

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        if (!(kinds[k].traits & HAS_END))
            continue;
        int end[2];
        kinds[k].open(end);
        struct later later = {.fd = end[1], .act = close_fd};
        CHECK_EQ(write(end[1], "last", 4), 4);
        pthread_t t = spawn(do_later, &later);
        char data[10];
        CHECK_EQ(read(end[0], data, sizeof data), 4);
        CHECK_EQ(read(end[0], data, sizeof data), 0);
        CHECK_EQ(read(end[0], data, sizeof data), 0);
        join_thread(t);
        CHECK_OK(close(end[0]));
    }
    return 0;
}
