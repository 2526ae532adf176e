// fsync and its kin give their results while other threads are alive, and run from many threads at once.
#include "os/channel.h"

static void *write_and_sync(void *arg) {
    int fd = temp_file();
    (void)arg;
    char data[512], back[512];
    for (int i = 0; i < 10; i++) {
        fill(data, sizeof data, i);
        CHECK_EQ(pwrite(fd, data, sizeof data, i * 512), 512);
        CHECK_OK(i % 3 == 0 ? fsync(fd) : i % 3 == 1 ? fdatasync(fd) : sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
        CHECK_EQ(pread(fd, back, sizeof back, i * 512), 512);
        check_filled(back, 512, i);
    }
    CHECK_OK(syncfs(fd));
    CHECK_OK(close(fd));
    CHECK_ERR(fsync(12345), EBADF);
    return NULL;
}

int main(void) {
    pthread_t t[30];
    for (int i = 0; i < 30; i++)
        t[i] = spawn(write_and_sync, NULL);
    for (int i = 0; i < 30; i++)
        join_thread(t[i]);
    int end[2];
    open_pipe(end);
    CHECK_ERR(fsync(end[0]), EINVAL);
    return 0;
}
