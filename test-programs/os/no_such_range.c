// A buffer that would end above all addresses is EFAULT before anything is moved or waited for, where a long one that could be there is cut; and a read of nothing is what the object says.
#include "os/channel.h"
#include <limits.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

// volatile, or the compiler warns of what is meant.
static volatile size_t beyond = SIZE_MAX, far = (size_t)1 << 40;

static void refused(int fd) {
    static char buffer[16];
    static const size_t lengths[] = {SIZE_MAX, SIZE_MAX / 2 + 1, SSIZE_MAX};
    for (int i = 0; i < 3; i++) {
        size_t volatile length = lengths[i];
        int flags = fcntl(fd, F_GETFL) & O_ACCMODE;
        if (flags != O_WRONLY)
            CHECK_ERR(read(fd, buffer, length), EFAULT);
        if (flags != O_RDONLY)
            CHECK_ERR(write(fd, buffer, length), EFAULT);
    }
}

int main(void) {
    int gate[2], end[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    open_pipe(end);
    refused(end[0]), refused(end[1]);
    close_both(end);
    int kinds[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(socketpair(AF_UNIX, kinds[i], 0, end));
        refused(end[0]);
        close_both(end);
    }
    int fd;
    CHECK_OK(fd = socket(AF_INET, SOCK_STREAM, 0));
    refused(fd);
    CHECK_OK(listen(fd, 1));
    refused(fd);
    CHECK_OK(close(fd));

    char some[8];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_OK(fd = signalfd(-1, &set, 0));
    CHECK_ERR(read(fd, some, beyond), EFAULT);
    CHECK_ERR(read(fd, some, 0), EINVAL);
    CHECK_ERR(read(fd, some, sizeof some), EINVAL);
    CHECK_OK(close(fd));
    // Only inotify refuses when there is something to read.
    CHECK_OK(fd = inotify_init1(IN_NONBLOCK));
    CHECK_ERR(read(fd, some, 0), EAGAIN);
    CHECK_ERR(read(fd, some, sizeof some - 1), EAGAIN);
    CHECK_OK(close(fd));
    CHECK_OK(fd = eventfd(0, 0));
    refused(fd);
    CHECK_ERR(read(fd, some, 0), EINVAL);
    CHECK_OK(close(fd));
    CHECK_OK(fd = timerfd_create(CLOCK_MONOTONIC, 0));
    CHECK_ERR(read(fd, some, beyond), EFAULT);
    CHECK_ERR(read(fd, some, 0), EINVAL);
    CHECK_OK(close(fd));
    FILE *file = tmpfile();
    CHECK(file != NULL);
    fd = fileno(file);
    refused(fd);
    CHECK_ERR(pread(fd, some, beyond, 0), EFAULT);
    CHECK_ERR(pwrite(fd, some, beyond, 0), EFAULT);
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(pread(fd, some, 0, 0), 0);
    // It could end there.
    static char three[4096];
    CHECK_EQ(pread(fd, three, far, 0), 3);
    CHECK(memcmp(three, "abc", 3) == 0);
    CHECK_EQ(fclose(file), 0);

    // An empty pipe gives nothing at once.
    open_pipe(end);
    CHECK_EQ(read(end[0], some, 0), 0);
    CHECK_EQ(write(end[1], some, 0), 0);
    close_both(end);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
