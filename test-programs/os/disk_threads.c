// Many threads that wait for a disk at once share a few kernel threads, get their results, and do not keep out those that wait for each other.
#include "os/channel.h"
#include <sys/file.h>

enum { THREADS = 60 };
static int done, most, holder;
static char path[64];

static void *sync_often(void *arg) {
    (void)arg;
    int fd = temp_file();
    char data[4096];
    for (int i = 0; i < 20; i++) {
        fill(data, sizeof data, i);
        CHECK_EQ(pwrite(fd, data, sizeof data, 0), sizeof data);
        CHECK_OK(i % 2 ? fdatasync(fd) : fsync(fd));
    }
    CHECK_OK(close(fd));
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *count_threads(void *arg) {
    while (__atomic_load_n(&done, __ATOMIC_SEQ_CST) < THREADS) {
        int now = count_directory("/proc/self/task");
        if (now > most)
            most = now;
        sleep_ms(1);
    }
    return arg;
}

static void *lock_file(void *arg) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_OK(close(fd));
    return arg;
}

int main(void) {
    pthread_t t[THREADS], lockers[10], counter;
    // Ten wait for a lock, each with a thread of its own, and must not stand in anybody's way.
    snprintf(path, sizeof path, "/tmp/greenpatch-lock-%d", getpid());
    holder = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK_OK(holder);
    CHECK_OK(flock(holder, LOCK_EX));
    for (int i = 0; i < 10; i++)
        lockers[i] = spawn(lock_file, NULL);
    nap();
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(sync_often, NULL);
    counter = spawn(count_threads, NULL);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    join_thread(counter);
    CHECK_OK(flock(holder, LOCK_UN));
    for (int i = 0; i < 10; i++)
        join_thread(lockers[i]);
    CHECK_OK(unlink(path));
    // One for the green threads, ten for the locks, as many for the disk as GREENPATCH_IO_THREADS says.
    const char *io = getenv("GREENPATCH_IO_THREADS");
    if (preloaded())
        CHECK(most <= 1 + 10 + (io ? atoi(io) : 4));
    return 0;
}
