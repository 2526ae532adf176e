// Regular files behave as ever while other threads are alive: short read at the end, holes, O_APPEND, offsets.
#include "os/channel.h"
#include <sys/mman.h>

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void *append_records(void *arg) {
    char record[64];
    memset(record, (int)(intptr_t)arg % 256, sizeof record);
    int fd = (int)(intptr_t)arg / 256;
    for (int i = 0; i < 200; i++)
        CHECK_EQ(write(fd, record, sizeof record), sizeof record);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);

    enum { SIZE = 3 << 20 };
    char *out = malloc(SIZE), *in = malloc(SIZE + 10);
    fill(out, SIZE, 3);
    int fd = temp_file();
    CHECK_EQ(write(fd, out, SIZE), SIZE);
    CHECK_EQ(read(fd, in, 10), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, in, SIZE + 10), SIZE); // short, and whole up to the end
    check_filled(in, SIZE, 3);
    CHECK_EQ(pread(fd, in, 100, SIZE - 40), 40);
    CHECK_EQ(pread(fd, in, 100, SIZE + 40), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), SIZE);

    // Not in the page cache any more, as far as the kernel follows the advice.
    CHECK_OK(fsync(fd));
    CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    memset(in, 0, SIZE);
    CHECK_EQ(pread(fd, in, SIZE, 0), SIZE);
    check_filled(in, SIZE, 3);

    off_t far = (off_t)5 << 30;
    CHECK_EQ(pwrite(fd, "end", 3, far), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_END), far + 3);
    memset(in, 1, 1000);
    CHECK_EQ(pread(fd, in, 1000, far - 500), 503);
    for (int i = 0; i < 500; i++)
        CHECK_EQ(in[i], 0);
    CHECK(memcmp(in + 500, "end", 3) == 0);
    CHECK_OK(ftruncate(fd, 5));
    CHECK_EQ(pread(fd, in, 100, 0), 5);
    CHECK_OK(close(fd));

    // Two threads append through descriptions of their own: every record in one piece.
    char dir[256], path[300];
    snprintf(path, sizeof path, "%s/log", temp_dir(dir));
    int log[2];
    for (int i = 0; i < 2; i++)
        CHECK_OK(log[i] = open(path, O_CREAT | O_RDWR | O_APPEND, 0600));
    pthread_t a = spawn(append_records, (void *)(intptr_t)(log[0] * 256 + 'a'));
    pthread_t b = spawn(append_records, (void *)(intptr_t)(log[1] * 256 + 'b'));
    join_thread(a);
    join_thread(b);
    CHECK_EQ(pread(log[0], in, SIZE, 0), 400 * 64);
    int count[2] = {0, 0};
    for (int i = 0; i < 400; i++) {
        for (int j = 1; j < 64; j++)
            CHECK_EQ(in[i * 64 + j], in[i * 64]);
        count[in[i * 64] == 'b']++;
    }
    CHECK_EQ(count[0], 200);
    CHECK_EQ(count[1], 200);

    CHECK_ERR(write(open(path, O_RDONLY), "x", 1), EBADF);
    CHECK_ERR(read(open(path, O_WRONLY), in, 1), EBADF);
    CHECK_ERR(read(open(dir, O_RDONLY | O_DIRECTORY), in, 1), EISDIR);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
