// sendfile, splice, tee, vmsplice and copy_file_range move the right bytes, and wait for the other side.
#include "os/channel.h"
#include <sys/sendfile.h>

enum { SIZE = 1 << 20 };
static char *data, *got;

static void *take_all(void *arg) {
    nap();
    read_whole(*(int *)arg, got, SIZE);
    return NULL;
}

static void *give_all(void *arg) {
    nap();
    write_whole(*(int *)arg, data, SIZE);
    CHECK_OK(close(*(int *)arg));
    return NULL;
}

int main(void) {
    CHECK((data = malloc(SIZE)) != NULL);
    CHECK((got = malloc(SIZE)) != NULL);
    fill(data, SIZE, 9);
    int file = temp_file();
    write_whole(file, data, SIZE);
    int end[2], other[2];

    // From a file to a socket and to a pipe that somebody empties slowly.
    void (*const opens[])(int *) = {open_stream, open_tcp, open_pipe};
    for (int i = 0; i < 3; i++) {
        opens[i](end);
        memset(got, 0, SIZE);
        pthread_t t = spawn(take_all, &end[0]);
        off_t offset = 0;
        while (offset < SIZE)
            CHECK(sendfile(end[1], file, &offset, SIZE - offset) > 0);
        join_thread(t);
        check_filled(got, SIZE, 9);
        CHECK_EQ(sendfile(end[1], file, &offset, 10), 0);
        close_both(end);
    }

    // Through a pipe into a file; splice from an empty pipe or socket waits.
    for (int i = 0; i < 3; i++) {
        int copy = temp_file();
        opens[i](end);
        open_pipe(other);
        pthread_t t = spawn(give_all, &end[1]);
        size_t moved = 0;
        for (;;) {
            ssize_t n = i == 2 ? splice(end[0], NULL, copy, NULL, 50000, 0) : splice(end[0], NULL, other[1], NULL, 50000, 0);
            CHECK(n >= 0);
            if (n == 0)
                break;
            for (ssize_t left = i == 2 ? 0 : n; left > 0;) {
                ssize_t put = splice(other[0], NULL, copy, NULL, left, SPLICE_F_MOVE);
                CHECK(put > 0);
                left -= put;
            }
            moved += n;
        }
        CHECK_EQ(moved, SIZE);
        join_thread(t);
        memset(got, 0, SIZE);
        CHECK_EQ(pread(copy, got, SIZE, 0), SIZE);
        check_filled(got, SIZE, 9);
        CHECK_OK(close(end[0]));
        close_both(other);
        CHECK_OK(close(copy));
    }

    // tee waits for data too, and leaves it where it was.
    open_pipe(end);
    open_pipe(other);
    struct later later = {.fd = end[1], .data = "twice", .len = 5};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(tee(end[0], other[1], 100, 0), 5);
    join_thread(t);
    CHECK_EQ(read(end[0], got, 100), 5);
    CHECK(memcmp(got, "twice", 5) == 0);
    CHECK_EQ(read(other[0], got, 100), 5);
    CHECK(memcmp(got, "twice", 5) == 0);
    CHECK_ERR(tee(end[0], other[1], 100, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(end[0], NULL, other[1], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(file, NULL, file, NULL, 100, 0), EINVAL);

    // vmsplice of more than the pipe holds.
    memset(got, 0, SIZE);
    t = spawn(take_all, &end[0]);
    for (size_t done = 0; done < SIZE;) {
        struct iovec part = {data + done, SIZE - done};
        ssize_t n = vmsplice(end[1], &part, 1, 0);
        CHECK(n > 0);
        done += n;
    }
    join_thread(t);
    check_filled(got, SIZE, 9);

    int copy = temp_file();
    off_t from = 100, to = 7;
    ssize_t n = copy_file_range(file, &from, copy, &to, 5000, 0);
    CHECK_EQ(n, 5000);
    CHECK_EQ(from, 5100);
    CHECK_EQ(to, 5007);
    CHECK_EQ(pread(copy, got, 6000, 7), 5000);
    CHECK(memcmp(got, data + 100, 5000) == 0);
    return 0;
}
