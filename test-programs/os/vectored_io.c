// readv, writev, preadv, pwritev and their flags, on files and pipes, while another thread is alive.
#include "os/channel.h"

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2], end[2], file = temp_file();
    open_pipe(gate);
    pthread_t t = spawn(stay_parked, &gate[0]);

    char a[4], b[8], c[100];
    struct iovec out[3] = {{"one", 3}, {NULL, 0}, {"twothree", 8}};
    struct iovec in[3] = {{a, 4}, {b, 8}, {c, sizeof c}};
    CHECK_EQ(pwritev(file, out, 3, 5), 11);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 0);
    CHECK_EQ(preadv(file, in, 3, 6), 10);
    CHECK(memcmp(a, "netw", 4) == 0 && memcmp(b, "othree", 6) == 0);
    CHECK_EQ(readv(file, in, 3), 16);
    CHECK(memcmp(a, "\0\0\0\0", 4) == 0 && memcmp(b, "\0onetwot", 8) == 0 && memcmp(c, "hree", 4) == 0);
    CHECK_EQ(readv(file, in, 3), 0);
    CHECK_EQ(writev(file, out, 3), 11);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 27);

    CHECK_EQ(pwritev2(file, out, 3, 0, RWF_APPEND), 11);
    CHECK_EQ(lseek(file, 0, SEEK_END), 38);
    CHECK_EQ(pwritev2(file, out, 3, 0, RWF_DSYNC), 11);
    CHECK_EQ(preadv2(file, in, 1, 27, 0), 4);
    CHECK(memcmp(a, "onet", 4) == 0);
    CHECK_ERR(preadv2(file, in, 1, 0, 0x40000000), EOPNOTSUPP);
    CHECK_ERR(preadv(file, in, 1, -1), EINVAL);
    volatile int below_zero = -1, too_many = 1025;
    CHECK_ERR(readv(file, in, below_zero), EINVAL);
    CHECK_ERR(readv(file, in, too_many), EINVAL);
    CHECK_EQ(readv(file, in, 0), 0);

    open_pipe(end);
    CHECK_ERR(preadv(end[0], in, 1, 0), ESPIPE);
    CHECK_ERR(pwritev(end[1], out, 1, 0), ESPIPE);
    CHECK_ERR(pread(end[0], a, 1, 0), ESPIPE);
    CHECK_EQ(writev(end[1], out, 3), 11);
    CHECK_EQ(readv(end[0], in, 3), 11);
    CHECK(memcmp(a, "onet", 4) == 0 && memcmp(b, "wothree", 7) == 0);
    // What the program asks for itself, on an empty pipe: no waiting.
    ssize_t n = preadv2(end[0], in, 1, -1, RWF_NOWAIT);
    CHECK(n == -1 && (errno == EAGAIN || errno == EOPNOTSUPP));

    CHECK_OK(close(gate[1]));
    join_thread(t);
    return 0;
}
