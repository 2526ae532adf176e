// Once the process has taken its table of descriptors apart from others' (CLONE_FILES), calls that wait for a disk or for
// another party act on the files that it has opened since.
#include "check.h"
#include <linux/close_range.h>
#include <sys/file.h>

static char path[] = "/tmp/greenpatch-test-XXXXXX";

static void *lock(void *fd) {
    CHECK_EQ(flock(*(int *)fd, LOCK_EX), 0);
    return NULL;
}

// Another thread waits for a lock, and this one for the disk.
static void try_all(void) {
    int held = open(path, O_RDWR), wanted = open(path, O_RDWR | O_SYNC);
    CHECK(held >= 0 && wanted >= 0);
    CHECK_EQ(flock(held, LOCK_EX), 0);
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, lock, &wanted), 0);
    sched_yield();
    CHECK_EQ(write(wanted, "x", 1), 1);
    CHECK_EQ(fsync(wanted), 0);
    CHECK_EQ(flock(held, LOCK_UN), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(flock(wanted, LOCK_UN), 0);
    // Both stay open, so that the next are new numbers.
}

static void *stay(void *fd) {
    char byte;
    CHECK_EQ(read(*(int *)fd, &byte, 1), 0);
    return NULL;
}

int main(void) {
    int fd = mkstemp(path), ends[2];
    CHECK(fd >= 0);
    CHECK_EQ(pipe(ends), 0);
    try_all();
    CHECK_EQ(unshare(CLONE_FILES), 0);
    try_all();
    CHECK_EQ(close_range(1000, 1001, CLOSE_RANGE_UNSHARE), 0);
    try_all();

    // Only now another thread stays, with the table that main has.
    pthread_t other;
    CHECK_EQ(pthread_create(&other, NULL, stay, &ends[0]), 0);
    try_all();
    CHECK_EQ(close(ends[1]), 0);
    CHECK_EQ(pthread_join(other, NULL), 0);
    CHECK_EQ(unlink(path), 0);
    return 0;
}
