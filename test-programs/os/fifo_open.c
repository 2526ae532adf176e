// Opening one end of a FIFO waits until another thread opens the other.
#include "os/channel.h"

static char path[300];

static void *open_other_end(void *arg) {
    nap();
    int fd = open(path, (int)(intptr_t)arg);
    CHECK(fd >= 0);
    return (void *)(intptr_t)fd;
}

static void check_open(int mine, int others) {
    pthread_t t = spawn(open_other_end, (void *)(intptr_t)others);
    int end[2];
    CHECK_OK(end[mine == O_WRONLY] = open(path, mine));
    end[mine != O_WRONLY] = (int)(intptr_t)join_thread(t);
    CHECK_EQ(fcntl(end[0], F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(fcntl(end[1], F_GETFL) & O_NONBLOCK, 0);
    char data[8];
    CHECK_EQ(write(end[1], "fifo", 4), 4);
    CHECK_EQ(read(end[0], data, sizeof data), 4);
    close_both(end);
}

int main(void) {
    char dir[256];
    snprintf(path, sizeof path, "%s/fifo", temp_dir(dir));
    unlink(path); // left by a run that was killed
    CHECK_OK(mkfifo(path, 0600));
    for (int i = 0; i < 5; i++) {
        check_open(O_RDONLY, O_WRONLY);
        check_open(O_WRONLY, O_RDONLY);
    }

    // Neither of these waits.
    CHECK_ERR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    CHECK(fd >= 0);
    CHECK_OK(close(fd));
    fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    CHECK_OK(close(fd));

    CHECK_INTERRUPTED(open(path, O_RDONLY));
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
    return 0;
}
