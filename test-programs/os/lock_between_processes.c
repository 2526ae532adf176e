// A thread that waits for a record lock of another process lets the thread run which tells that process to give it up.
#include "os/channel.h"
#include <sys/file.h>

static void lock_region(int fd, short type, off_t start, off_t len) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
    CHECK_OK(fcntl(fd, F_SETLKW, &lock));
}

int main(void) {
    int to_child[2], to_parent[2], fd = temp_file();
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    for (int form = 0; form < 3; form++) {
        open_pipe(to_child);
        open_pipe(to_parent);
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            char c;
            lock_region(fd, F_WRLCK, 0, 5);
            CHECK_EQ(write(to_parent[1], "l", 1), 1);
            CHECK_EQ(read(to_child[0], &c, 1), 1);
            CHECK_EQ(pwrite(fd, "X", 1, form), 1);
            _exit(0); // gives the lock up
        }
        char c;
        CHECK_EQ(read(to_parent[0], &c, 1), 1);
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        CHECK_OK(fcntl(fd, F_GETLK, &lock));
        CHECK_EQ(lock.l_type, F_WRLCK);
        CHECK_EQ(lock.l_pid, pid);
        lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
        errno = 0;
        CHECK(fcntl(fd, F_SETLK, &lock) == -1 && (errno == EAGAIN || errno == EACCES));
        CHECK_OK(lseek(fd, 0, SEEK_SET));
        CHECK_ERR(lockf(fd, F_TEST, 5), EACCES);
        lock_region(fd, F_WRLCK, 5, 5); // not in the way
        CHECK_INTERRUPTED(fcntl(fd, F_SETLKW, &lock));

        struct later later = {.fd = to_child[1], .data = "g", .len = 1};
        pthread_t t = spawn(do_later, &later);
        if (form == 0) {
            lock_region(fd, F_RDLCK, 0, 5);
        } else if (form == 1) {
            CHECK_OK(lseek(fd, 0, SEEK_SET));
            CHECK_OK(lockf(fd, F_LOCK, 5));
        } else {
            lock_region(fd, F_WRLCK, 0, 0);
        }
        CHECK_EQ(pread(fd, &c, 1, form), 1);
        CHECK_EQ(c, 'X');
        join_thread(t);
        CHECK_EQ(wait_child(pid), 0);
        lock_region(fd, F_UNLCK, 0, 0);
        close_both(to_child);
        close_both(to_parent);
    }

    // A lock through flock belongs to the description, which the child shares: closing here does not free it.
    char dir[256], path[300];
    snprintf(path, sizeof path, "%s/locked", temp_dir(dir));
    int shared = open(path, O_RDWR | O_CREAT, 0600), own = open(path, O_RDWR);
    CHECK(shared >= 0 && own >= 0);
    CHECK_OK(flock(shared, LOCK_EX));
    open_pipe(to_child);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char c;
        CHECK_EQ(read(to_child[0], &c, 1), 1);
        _exit(0);
    }
    CHECK_OK(close(shared));
    CHECK_ERR(flock(own, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    struct later later = {.fd = to_child[1], .data = "g", .len = 1};
    pthread_t t = spawn(do_later, &later);
    CHECK_OK(flock(own, LOCK_EX));
    join_thread(t);
    CHECK_EQ(wait_child(pid), 0);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
    return 0;
}
