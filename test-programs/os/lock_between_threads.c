// flock and OFD locks through descriptions of their own: a thread waits for the one that holds the lock, readers share.
#include "os/channel.h"
#include <sys/file.h>

enum { THREADS = 20, TURNS = 20 };

static char path[300];
static int counter, inside;

static void ofd(int fd, int command, short type) {
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    CHECK_OK(fcntl(fd, command, &lock));
}

static void *take_turns(void *arg) {
    int use_flock = arg != NULL, fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    for (int i = 0; i < TURNS; i++) {
        if (use_flock)
            CHECK_OK(flock(fd, LOCK_EX));
        else
            ofd(fd, F_OFD_SETLKW, F_WRLCK);
        CHECK_EQ(inside, 0);
        inside = 1;
        int before = counter;
        if (i % 8 == 0) {
            CHECK_EQ(pwrite(fd, "x", 1, i), 1);
            CHECK_OK(fsync(fd)); // what the holder needs must not queue behind those who wait for it
        }
        sched_yield();
        counter = before + 1;
        inside = 0;
        if (use_flock)
            CHECK_OK(flock(fd, LOCK_UN));
        else
            ofd(fd, F_OFD_SETLK, F_UNLCK);
    }
    CHECK_OK(close(fd));
    return NULL;
}

static void *wait_for_lock(void *arg) {
    int use_flock = arg != NULL, fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    if (use_flock)
        CHECK_OK(flock(fd, LOCK_EX));
    else
        ofd(fd, F_OFD_SETLKW, F_WRLCK);
    CHECK_OK(close(fd)); // frees it
    return NULL;
}

int main(void) {
    char dir[256];
    snprintf(path, sizeof path, "%s/locked", temp_dir(dir));
    int fd = open(path, O_RDWR | O_CREAT, 0600), second = open(path, O_RDWR);
    CHECK(fd >= 0 && second >= 0);

    for (intptr_t use_flock = 0; use_flock < 2; use_flock++) {
        counter = 0;
        pthread_t t[THREADS];
        if (use_flock)
            CHECK_OK(flock(fd, LOCK_EX));
        else
            ofd(fd, F_OFD_SETLKW, F_WRLCK);
        for (int i = 0; i < THREADS; i++)
            t[i] = spawn(take_turns, (void *)use_flock);
        nap();
        CHECK_EQ(counter, 0);
        if (use_flock)
            CHECK_OK(flock(fd, LOCK_UN));
        else
            ofd(fd, F_OFD_SETLK, F_UNLCK);
        for (int i = 0; i < THREADS; i++)
            join_thread(t[i]);
        CHECK_EQ(counter, THREADS * TURNS);
    }

    CHECK_OK(flock(fd, LOCK_SH));
    CHECK_OK(flock(second, LOCK_SH));
    CHECK_ERR(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_OK(flock(fd, LOCK_UN)); // the failed upgrade gave up the second's lock
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_ERR(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK_INTERRUPTED(flock(second, LOCK_EX));
    CHECK_OK(flock(fd, LOCK_UN));
    CHECK_ERR(flock(fd, 77), EINVAL);

    ofd(fd, F_OFD_SETLK, F_WRLCK);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_ERR(fcntl(second, F_OFD_SETLK, &lock), EAGAIN);
    lock.l_type = F_WRLCK;
    CHECK_OK(fcntl(second, F_OFD_GETLK, &lock));
    CHECK_EQ(lock.l_type, F_WRLCK);
    CHECK_EQ(lock.l_pid, -1);
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK_INTERRUPTED(fcntl(second, F_OFD_SETLKW, &lock));
    pthread_t t = spawn(wait_for_lock, NULL);
    nap();
    ofd(fd, F_OFD_SETLK, F_UNLCK);
    join_thread(t);

    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
    return 0;
}
