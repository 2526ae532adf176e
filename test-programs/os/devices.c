// Character devices and /proc files: they never wait, and give what they give without the shim.
#include "os/channel.h"

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    static char data[100000];
    int fd = open("/dev/null", O_RDWR);
    CHECK(fd >= 0);
    CHECK_EQ(read(fd, data, sizeof data), 0);
    CHECK_EQ(write(fd, data, sizeof data), sizeof data);
    CHECK_OK(close(fd));

    memset(data, 1, sizeof data);
    CHECK_OK(fd = open("/dev/zero", O_RDWR));
    CHECK_EQ(read(fd, data, sizeof data), sizeof data);
    for (size_t i = 0; i < sizeof data; i++)
        CHECK_EQ(data[i], 0);
    CHECK_OK(close(fd));

    CHECK_OK(fd = open("/dev/urandom", O_RDONLY));
    CHECK_EQ(read(fd, data, sizeof data), sizeof data);
    int used[256] = {0}, different = 0;
    for (size_t i = 0; i < sizeof data; i++)
        different += used[(unsigned char)data[i]]++ == 0;
    CHECK_EQ(different, 256);
    CHECK_OK(close(fd));

    CHECK_OK(fd = open("/dev/full", O_RDWR));
    CHECK_ERR(write(fd, data, 10), ENOSPC);
    CHECK_OK(close(fd));

    CHECK_OK(fd = open("/proc/self/stat", O_RDONLY));
    ssize_t n = read(fd, data, sizeof data - 1);
    CHECK(n > 0);
    data[n] = '\0';
    CHECK_EQ(atoi(data), getpid());
    CHECK_EQ(read(fd, data, sizeof data), 0);
    CHECK_OK(close(fd));
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
