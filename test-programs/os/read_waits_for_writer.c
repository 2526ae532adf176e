// A read of an empty descriptor of each kind waits until another thread of the process writes.
#include "os/channel.h"

static ssize_t by_read(int fd, char *data, size_t len) { return read(fd, data, len); }

static ssize_t by_readv(int fd, char *data, size_t len) {
    struct iovec parts[2] = {{data, 2}, {data + 2, len - 2}};
    return readv(fd, parts, 2);
}

static ssize_t by_preadv2(int fd, char *data, size_t len) {
    struct iovec parts[2] = {{data, 2}, {data + 2, len - 2}};
    return preadv2(fd, parts, 2, -1, 0);
}

int main(void) {
    ssize_t (*const reads[])(int, char *, size_t) = {by_read, by_readv, by_preadv2};
    for (int k = 0; k < KINDS; k++)
        for (int r = 0; r < 3; r++)
            for (int again = 0; again < 2; again++) {
                int end[2];
                kinds[k].open(end);
                struct later later = {.fd = end[1], .data = "green", .len = 5};
                pthread_t t = spawn(do_later, &later);
                char data[64] = "";
                if (reads[r](end[0], data, sizeof data) != 5 || memcmp(data, "green", 5) != 0)
                    CHECK_FAIL("%s, function %d: errno %d", kinds[k].name, r, errno);
                join_thread(t);
                close_both(end);
            }
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
