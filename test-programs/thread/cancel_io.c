// Cancellation in read, readv, write, writev, open of a FIFO and fcntl(F_OFD_SETLKW) runs cleanup handlers; the descriptors work afterwards.
#include "cancel.h"
#include <sys/stat.h>
#include <sys/uio.h>

static int empty[2], full[2], locked = -1, other = -1;
static char fifo[64], lock_file[64];

static void in_read(void) {
    char c;
    (void)!read(empty[0], &c, 1);
}
static void in_readv(void) {
    char c;
    struct iovec iov = {&c, 1};
    (void)!readv(empty[0], &iov, 1);
}
static void in_write(void) { (void)!write(full[1], "xy", 2); }
static void in_writev(void) {
    struct iovec iov = {(void *)"xy", 2};
    (void)!writev(full[1], &iov, 1);
}
static void in_open_read(void) { (void)!open(fifo, O_RDONLY); }
static void in_open_write(void) { (void)!open(fifo, O_WRONLY); }
static void in_setlkw(void) {
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    (void)!fcntl(other, F_OFD_SETLKW, &fl);
}

static void pipe_works(void) {
    char c = 0;
    CHECK_EQ(write(empty[1], "z", 1), 1);
    CHECK_EQ(read(empty[0], &c, 1), 1);
    CHECK_EQ(c, 'z');
}

static const struct cancel_point points[] = {
    {"read", in_read, pipe_works},      {"readv", in_readv, pipe_works}, {"write", in_write, NULL},
    {"writev", in_writev, NULL},        {"open_read", in_open_read, NULL}, {"open_write", in_open_write, NULL},
    {"fcntl_setlkw", in_setlkw, NULL},
};

int main(int argc, char **argv) {
    CHECK_OK(pipe(empty));
    CHECK_OK(pipe(full));
    CHECK_OK(fcntl(full[1], F_SETFL, O_NONBLOCK));
    char block[4096] = "";
    while (write(full[1], block, sizeof block) > 0) {
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK_OK(fcntl(full[1], F_SETFL, 0));
    snprintf(fifo, sizeof fifo, "/tmp/greenpatch-fifo-%d", getpid());
    snprintf(lock_file, sizeof lock_file, "/tmp/greenpatch-lock-%d", getpid());
    unlink(fifo); // left by a run that was killed
    CHECK_OK(mkfifo(fifo, 0600));
    locked = open(lock_file, O_RDWR | O_CREAT, 0600);
    other = open(lock_file, O_RDWR);
    CHECK_OK(locked);
    CHECK_OK(other);
    struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_OK(fcntl(locked, F_OFD_SETLK, &fl));
    CANCEL_EACH(points);
    // The first time may have opened what stays.
    int fds = open_fds();
    CANCEL_EACH(points);
    CHECK_EQ(open_fds(), fds);
    CHECK_EQ(fcntl(empty[0], F_GETFL) & O_NONBLOCK, 0);
    // The cancelled request is gone: the lock is free once its holder lets go, and its file takes it at once.
    CHECK_OK(close(locked));
    fl.l_pid = 0;
    CHECK_OK(fcntl(other, F_OFD_SETLK, &fl));
    CHECK_OK(unlink(fifo));
    CHECK_OK(unlink(lock_file));
    return 0;
}
