// A blocking read takes what is there and waits for no more.
#include "os/channel.h"

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        kinds[k].open(end);
        for (int round = 0; round < 2; round++) {
            char data[100];
            CHECK_EQ(write(end[1], "abc", 3), 3);
            CHECK_EQ(read(end[0], data, sizeof data), 3);
            CHECK_EQ(write(end[1], "defg", 4), 4);
            ssize_t n = read(end[0], data, 2);
            CHECK_EQ(n, 2);
            CHECK(memcmp(data, "de", 2) == 0);
            if (kinds[k].traits & IS_STREAM) { // a message's rest is lost
                CHECK_EQ(read(end[0], data, sizeof data), 2);
                CHECK(memcmp(data, "fg", 2) == 0);
            }
            // With another thread alive the calls are no longer the kernel's own.
            if (round == 0) {
                int other[2];
                open_pipe(other);
                struct later later = {.fd = other[1], .data = "x", .len = 1};
                pthread_t t = spawn(do_later, &later);
                CHECK_EQ(write(end[1], "hi", 2), 2);
                CHECK_EQ(read(end[0], data, sizeof data), 2);
                CHECK_EQ(read(other[0], data, sizeof data), 1);
                join_thread(t);
                close_both(other);
            }
        }
        close_both(end);
    }
    return 0;
}
