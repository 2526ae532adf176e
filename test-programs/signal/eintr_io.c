// A handler interrupts read, readv, write, writev, open of a FIFO, F_SETLKW and flock with EINTR; with SA_RESTART they go on.
#include "eintr.h"
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int empty[2], full[2], locked, other;
static char fifo[64], file[64];

static int in_read(void) {
    char c;
    return EINTR_RESULT(read(empty[0], &c, 1));
}
static int in_readv(void) {
    char c;
    struct iovec iov = {&c, 1};
    return EINTR_RESULT(readv(empty[0], &iov, 1));
}
static void feed(void) { CHECK_EQ(write(empty[1], "x", 1), 1); }
static int in_write(void) { return EINTR_RESULT(write(full[1], "xy", 2)); }
static int in_writev(void) {
    struct iovec iov = {(void *)"xy", 2};
    return EINTR_RESULT(writev(full[1], &iov, 1));
}
static void fill(void) {
    char block[4096] = "";
    CHECK_OK(fcntl(full[1], F_SETFL, O_NONBLOCK));
    while (write(full[1], block, sizeof block) > 0) {
    }
    CHECK_OK(fcntl(full[1], F_SETFL, 0));
}
static void drain(void) {
    char block[65536];
    for (int i = 0; i < 2; i++)
        CHECK(read(full[0], block, sizeof block) > 0);
}
static void drain_and_fill(void) {
    drain();
    eintr_let_return();
    fill();
}
static int in_open(void) {
    int fd = open(fifo, O_RDONLY);
    int error = fd == -1 ? errno : 0;
    if (fd != -1)
        close(fd);
    return error;
}
static void open_other_end(void) {
    int fd;
    EVENTUALLY((fd = open(fifo, O_WRONLY | O_NONBLOCK)) != -1);
    CHECK_OK(close(fd));
}
static int in_setlkw(void) {
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int error = EINTR_RESULT(fcntl(other, F_OFD_SETLKW, &fl));
    fl.l_type = F_UNLCK;
    CHECK_OK(fcntl(other, F_OFD_SETLK, &fl));
    return error;
}
static void unlock(void) {
    struct flock fl = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    CHECK_OK(fcntl(locked, F_OFD_SETLK, &fl));
}
static int in_flock(void) {
    int error = EINTR_RESULT(flock(other, LOCK_EX));
    CHECK_OK(flock(other, LOCK_UN));
    return error;
}
static void unflock(void) { CHECK_OK(flock(locked, LOCK_UN)); }

static const struct eintr_point points[] = {
    {"read", in_read, feed, RESTARTED},         {"readv", in_readv, feed, RESTARTED},
    {"write", in_write, drain_and_fill, RESTARTED}, {"writev", in_writev, drain_and_fill, RESTARTED},
    {"open", in_open, open_other_end, RESTARTED},
    {"fcntl_setlkw", in_setlkw, unlock, RESTARTED}, {"flock", in_flock, unflock, RESTARTED},
};

int main(int argc, char **argv) {
    CHECK_OK(pipe(empty));
    CHECK_OK(pipe(full));
    fill();
    snprintf(fifo, sizeof fifo, "/tmp/greenpatch-fifo-%d", getpid());
    snprintf(file, sizeof file, "/tmp/greenpatch-lock-%d", getpid());
    unlink(fifo); // left by a run that was killed
    CHECK_OK(mkfifo(fifo, 0600));
    locked = open(file, O_RDWR | O_CREAT, 0600);
    other = open(file, O_RDWR);
    CHECK_OK(locked);
    CHECK_OK(other);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_OK(fcntl(locked, F_OFD_SETLK, &fl));
    CHECK_OK(flock(locked, LOCK_EX));
    EINTR_EACH(points);
    CHECK_OK(unlink(fifo));
    CHECK_OK(unlink(file));
    return 0;
}
