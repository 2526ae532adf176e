// io_uring_enter waits for a completion that another thread causes.
#include "os/ring.h"

int main(void) {
    struct ring ring;
    open_ring(&ring, 0);
    int end[2];
    open_pipe(end);
    for (int round = 0; round < 10; round++) {
        char data[8] = "";
        ask_to_read(&ring, end[0], data, sizeof data, 100 + round);
        struct later later = {.fd = end[1], .data = "ring", .len = 4};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(syscall(SYS_io_uring_enter, ring.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
        CHECK_EQ(completed(&ring), 1);
        CHECK_EQ(take_completion(&ring, 4), 100 + round);
        CHECK(memcmp(data, "ring", 4) == 0);
        join_thread(t);
    }
    return 0;
}
