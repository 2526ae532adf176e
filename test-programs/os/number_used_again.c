// A number that stood for a device or a file, whose calls never wait, waits as a pipe does once it stands for one.
#include "os/channel.h"
#include <sys/uio.h>

static int open_null(void) { return open("/dev/null", O_RDWR); }
static int open_zero(void) { return open("/dev/zero", O_RDWR); }

static void by_close(int old, int fd) {
    CHECK_OK(close(old));
    CHECK_EQ(fcntl(fd, F_DUPFD, old), old);
}

static void by_dup2(int old, int fd) { CHECK_EQ(dup2(fd, old), old); }
static void by_dup3(int old, int fd) { CHECK_EQ(dup3(fd, old, O_CLOEXEC), old); }

static void by_close_range(int old, int fd) {
    CHECK_OK(close_range(old, old, 0));
    CHECK_EQ(fcntl(fd, F_DUPFD, old), old);
}

static void by_close_in_child(int old, int fd) {
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        by_close(old, fd);
        _exit(0);
    }
    CHECK_EQ(wait_child(child), 0);
    by_close(old, fd);
}

static int (*const openers[])(void) = {open_null, open_zero, temp_file};
static void (*const replacements[])(int, int) = {by_close, by_dup2, by_dup3, by_close_range, by_close_in_child};

// Writes and reads in each way that there is, often enough that a short way is found if there is one.
static void use(int fd) {
    char byte = 'x';
    struct iovec part = {&byte, 1};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(write(fd, &byte, 1), 1);
        CHECK_EQ(writev(fd, &part, 1), 1);
        CHECK_EQ(syscall(SYS_write, fd, &byte, 1), 1);
        CHECK_EQ(pwrite(fd, &byte, 1, 0), 1);
        CHECK(read(fd, &byte, 1) >= 0);
        CHECK(readv(fd, &part, 1) >= 0);
        CHECK(pread(fd, &byte, 1, 0) >= 0);
    }
}

static void *write_later(void *arg) {
    nap();
    CHECK_EQ(write(*(int *)arg, "y", 1), 1);
    return NULL;
}

static void *read_all_later(void *arg) {
    static char data[65536];
    nap();
    read_whole(*(int *)arg, data, sizeof data);
    return NULL;
}

int main(void) {
    static char data[65536];
    int ends[2];
    open_pipe(ends);
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++) {
        for (size_t k = 0; k < sizeof replacements / sizeof *replacements; k++) {
            // Someone is there while the number is used, or the calls are the kernel's anyway.
            int fd = openers[i](), gate[2];
            CHECK_OK(fd);
            open_pipe(gate);
            struct later later = {gate[1], "z", 1, NULL};
            pthread_t t = spawn(do_later, &later);
            use(fd);
            char byte;
            CHECK_EQ(read(gate[0], &byte, 1), 1);
            use(fd);
            join_thread(t);

            replacements[k](fd, ends[0]);
            t = spawn(write_later, &ends[1]);
            CHECK_EQ(read(fd, &byte, 1), 1);
            CHECK_EQ(byte, 'y');
            join_thread(t);
            CHECK_OK(close(fd));

            CHECK_OK(fd = openers[i]());
            t = spawn(do_later, &later);
            use(fd);
            CHECK_EQ(read(gate[0], &byte, 1), 1);
            join_thread(t);
            replacements[k](fd, ends[1]);
            CHECK_EQ(write(fd, data, sizeof data), sizeof data);
            t = spawn(read_all_later, &ends[0]);
            CHECK_EQ(write(fd, "y", 1), 1);
            join_thread(t);
            CHECK_EQ(read(ends[0], &byte, 1), 1);
            CHECK_OK(close(fd));
            close_both(gate);
        }
    }
    return 0;
}
