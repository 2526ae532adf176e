// Tasks of another hub wait for pipes, FIFOs, eventfds, locks on files and cold files, with all buffers on their stacks.
#include "hub.h"
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

static char folder[] = "/var/tmp/guest_files_XXXXXX", path[64], fifo[64], cold[64];
static int step, beside;

static void counter(void *arg) {
    (void)arg;
    while (step < 100) {
        beside++;
        hub_pause();
    }
}

static void locker(void *arg) {
    int me = (int)(intptr_t)arg, fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    for (int i = 0; i < 5; i++) {
        CHECK_OK(flock(fd, LOCK_EX));
        static int holder;
        CHECK_EQ(holder, 0);
        holder = me + 1;
        hub_pause();
        CHECK_EQ(holder, me + 1);
        holder = 0;
        CHECK_OK(flock(fd, LOCK_UN));
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
        CHECK_OK(fcntl(fd, F_OFD_SETLKW, &lock));
        static int second;
        CHECK_EQ(second, 0);
        second = me + 1;
        hub_pause();
        CHECK_EQ(second, me + 1);
        second = 0;
        lock.l_type = F_UNLCK;
        CHECK_OK(fcntl(fd, F_OFD_SETLKW, &lock));
    }
    close(fd);
    __atomic_add_fetch(&step, 34, __ATOMIC_SEQ_CST);
}

static void fifo_reader(void *arg) {
    (void)arg;
    char name[64], got[16] = "";
    strcpy(name, fifo);
    int fd = open(name, O_RDONLY);
    CHECK_OK(fd);
    CHECK_EQ(read(fd, got, sizeof got), 5);
    CHECK_STR(got, "hello");
    CHECK_EQ(read(fd, got, sizeof got), 0);
    close(fd);
}

static void fifo_writer(void *arg) {
    (void)arg;
    for (int i = 0; i < 20; i++)
        hub_pause();
    int fd = open(fifo, O_WRONLY);
    CHECK_OK(fd);
    hub_pause();
    CHECK_EQ(write(fd, "hello", 5), 5);
    close(fd);
}

static int fds[2], event;
enum { MUCH = 300000 };

static void pipe_reader(void *arg) {
    (void)arg;
    char part[1000];
    size_t all = 0;
    ssize_t got;
    while ((got = read(fds[0], part, sizeof part)) > 0) {
        for (ssize_t i = 0; i < got; i++)
            CHECK_EQ((unsigned char)part[i], (all + (size_t)i) % 251);
        all += (size_t)got;
    }
    CHECK_EQ(got, 0);
    CHECK_EQ(all, MUCH);
    uint64_t sum = 0;
    CHECK_EQ(read(event, &sum, 8), 8);
    CHECK_EQ(sum, 7);
}

static void pipe_writer(void *arg) {
    (void)arg;
    unsigned char *all = malloc(MUCH);
    for (int i = 0; i < MUCH; i++)
        all[i] = (unsigned char)(i % 251);
    CHECK_EQ(write(fds[1], all, MUCH), MUCH);
    close(fds[1]);
    hub_pause();
    hub_pause();
    uint64_t seven = 7;
    CHECK_EQ(write(event, &seven, 8), 8);
    free(all);
}

static void disk(void *arg) {
    (void)arg;
    int fd = open(cold, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_OK(fsync(fd));
    for (int round = 0; round < 20; round++) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        char first[5000], second[3000];
        struct iovec parts[2] = {{first, sizeof first}, {second, sizeof second}};
        memset(first, 0, sizeof first);
        CHECK_EQ(preadv(fd, parts, 2, 100 + round * 50000), 8000);
        for (int i = 0; i < 8000; i++)
            CHECK_EQ(i < 5000 ? first[i] : second[i - 5000], (char)((100 + round * 50000 + i) % 127));
        CHECK_EQ(pread(fd, first, 5000, 1 << 20), 0);
    }
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    char some[4096];
    CHECK_EQ(lseek(fd, 4096, SEEK_SET), 4096);
    CHECK_EQ(read(fd, some, sizeof some), 4096);
    CHECK_EQ(some[0], (char)(4096 % 127));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8192);
    char *volatile nowhere = (char *)8;
    CHECK_ERR(read(fd, nowhere, 4096), EFAULT);
    close(fd);
}

int main(void) {
    hub_init();
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/lock", folder);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    snprintf(cold, sizeof cold, "%s/cold", folder);
    close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    CHECK_OK(mkfifo(fifo, 0600));
    int fd = open(cold, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    static char content[1 << 20];
    for (int i = 0; i < 1 << 20; i++)
        content[i] = (char)(i % 127);
    CHECK_EQ(write(fd, content, sizeof content), 1 << 20);
    close(fd);
    CHECK_OK(pipe(fds));
    CHECK_OK(event = eventfd(0, EFD_CLOEXEC));
    hub_spawn(counter, NULL);
    for (intptr_t i = 0; i < 3; i++)
        hub_spawn(locker, (void *)i);
    hub_spawn(fifo_reader, NULL);
    hub_spawn(fifo_writer, NULL);
    hub_spawn(pipe_reader, NULL);
    hub_spawn(pipe_writer, NULL);
    hub_spawn(disk, NULL);
    hub_run();
    CHECK(!hub_is_guest || beside > 0);
    if (hub_is_guest)
        CHECK_EQ(kernel_threads(), 1);
    unlink(path);
    unlink(fifo);
    unlink(cold);
    rmdir(folder);
    printf("%d waits\n", hub_waits);
}
