// close_range closes descriptors that were waited on before, marks with CLOSE_RANGE_CLOEXEC, and unshares none.
#include "os/channel.h"
#include <linux/close_range.h>

int main(void) {
    char data[4];
    for (int round = 0; round < 3; round++) {
        int ends[10][2];
        for (int i = 0; i < 10; i++) {
            kinds[i % KINDS].open(ends[i]);
            struct later later = {.fd = ends[i][1], .data = "ab", .len = 2};
            pthread_t t = spawn(do_later, &later);
            CHECK_EQ(read(ends[i][0], data, 2), 2); // was watched
            join_thread(t);
        }
        int low = ends[0][0] < ends[0][1] ? ends[0][0] : ends[0][1];
        int high = 0;
        for (int i = 0; i < 20; i++)
            if (ends[i / 2][i % 2] > high)
                high = ends[i / 2][i % 2];
        CHECK_OK(close_range(low, high, CLOSE_RANGE_CLOEXEC));
        CHECK_EQ(fcntl(ends[4][0], F_GETFD), FD_CLOEXEC);
        CHECK_OK(close_range(low, high, 0));
        for (int i = 0; i < 20; i++) {
            CHECK_ERR(fcntl(ends[i / 2][i % 2], F_GETFD), EBADF);
            CHECK_ERR(read(ends[i / 2][i % 2], data, 1), EBADF);
        }
        CHECK_ERR(close_range(9, 3, 0), EINVAL);
    }
    return 0;
}
