// Two processes that wait for each other's record locks: one of them gets EDEADLK, also while it has other threads.
#include "os/channel.h"

static void *stay_parked(void *arg) {
    char c;
    return (void *)(intptr_t)read(*(int *)arg, &c, 1);
}

static int take(int fd, off_t byte) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_SETLKW, &lock);
}

int main(void) {
    int gate[2], to_child[2], to_parent[2], fd = temp_file();
    open_pipe(gate);
    open_pipe(to_child);
    open_pipe(to_parent);
    CHECK_OK(take(fd, 0));
    pthread_t t = spawn(stay_parked, &gate[0]);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char c;
        CHECK_OK(take(fd, 1));
        CHECK_EQ(write(to_parent[1], "x", 1), 1);
        CHECK_EQ(read(to_child[0], &c, 1), 1);
        if (take(fd, 0) == 0)
            _exit(10); // got it, as the parent gave up
        CHECK_EQ(errno, EDEADLK);
        _exit(20);
    }
    char c;
    CHECK_EQ(read(to_parent[0], &c, 1), 1);
    CHECK_EQ(write(to_child[1], "x", 1), 1);
    int rc = take(fd, 1), error = errno;
    if (rc == -1) {
        CHECK_EQ(error, EDEADLK);
        struct flock none = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
        CHECK_OK(fcntl(fd, F_SETLK, &none));
    }
    int status = wait_child(pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), rc == -1 ? 10 : 20);
    CHECK_OK(close(gate[1]));
    join_thread(t);
    return 0;
}
