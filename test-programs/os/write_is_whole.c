// A blocking write of far more than the buffer holds waits for the reader, and is written whole.
#include "os/channel.h"

enum { SIZE = 1 << 20 };
static char *sent, *received;

static void *take_all(void *arg) {
    int fd = *(int *)arg;
    nap();
    size_t got = 0;
    for (size_t step = 1; got < SIZE; step = step % 30000 + 997) {
        ssize_t n = read(fd, received + got, step < SIZE - got ? step : SIZE - got);
        CHECK(n > 0);
        got += n;
    }
    return NULL;
}

static ssize_t by_write(int fd) { return write(fd, sent, SIZE); }

static ssize_t by_writev(int fd) {
    struct iovec parts[5] = {
        {sent, 1}, {sent + 1, 0}, {sent + 1, 400000}, {sent + 400001, 70000}, {sent + 470001, SIZE - 470001}};
    return writev(fd, parts, 5);
}

static ssize_t by_pwritev2(int fd) {
    struct iovec parts[2] = {{sent, SIZE - 5}, {sent + SIZE - 5, 5}};
    return pwritev2(fd, parts, 2, -1, 0);
}

int main(void) {
    CHECK((sent = malloc(SIZE)) != NULL);
    CHECK((received = malloc(SIZE)) != NULL);
    fill(sent, SIZE, 0);
    ssize_t (*const writes[])(int) = {by_write, by_writev, by_pwritev2};
    for (int k = 0; k < KINDS; k++)
        for (int w = 0; w < 3 && kinds[k].traits & IS_STREAM; w++) {
            int end[2];
            kinds[k].open(end);
            memset(received, 0, SIZE);
            pthread_t t = spawn(take_all, &end[0]);
            ssize_t n = writes[w](end[1]);
            if (n != SIZE)
                CHECK_FAIL("%s, function %d: %zd of %d written, errno %d", kinds[k].name, w, n, SIZE, errno);
            join_thread(t);
            check_filled(received, SIZE, 0);
            close_both(end);
        }
    return 0;
}
