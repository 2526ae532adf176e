// Thread names through /proc: written and read with descriptors and stdio, cut at 15 bytes, gone with the thread; a name is inherited as it was when the thread was made; a forked child has its maker's.
#include "check.h"
#include <semaphore.h>
#include <sys/prctl.h>

static sem_t ready, hold;
static pid_t tid;

static void expect_own(const char *want) {
    char name[16];
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, want);
}

static void *park(void *arg) {
    tid = gettid();
    CHECK_OK(sem_post(&ready));
    for (const char **name = arg; *name != NULL; name++) {
        CHECK_OK(sem_wait(&hold));
        expect_own(*name);
        CHECK_OK(sem_post(&ready));
    }
    CHECK_OK(prctl(PR_SET_NAME, "forker"));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char line[32] = "";
        expect_own("forker");
        int fd = open("/proc/self/comm", O_RDONLY);
        CHECK_OK(fd);
        CHECK(read(fd, line, sizeof line - 1) > 0);
        CHECK_STR(line, "forker\n");
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    char line[32] = "";
    int fd = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_EQ(read(fd, line, 3), 3);
    CHECK_EQ(read(fd, line + 3, sizeof line - 4), 4);
    CHECK_EQ(read(fd, line + 7, sizeof line - 8), 0);
    CHECK_STR(line, "forker\n");
    CHECK_OK(close(fd));
    return NULL;
}

static void expect(const char *path, const char *want) {
    char line[64] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK(read(fd, line, sizeof line - 1) > 0);
    CHECK_STR(line, want);
    CHECK_OK(close(fd));
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_wait(&ready));
}

int main(void) {
    static const char *names[] = {"the-main", "by-write", "by-stdio", "fifteen-letters", "", "twice", NULL};
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    CHECK_OK(prctl(PR_SET_NAME, "the-main"));
    pthread_t t = spawn(park, names);
    CHECK_OK(sem_wait(&ready));
    CHECK_OK(prctl(PR_SET_NAME, "other-main"));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    expect(path, "the-main\n");

    int before = open_fds();
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_EQ(write(fd, "by-write", 8), 8);
    CHECK_OK(close(fd));
    expect(path, "by-write\n");
    CHECK_EQ(open_fds(), before);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK(fprintf(f, "by-%s", "stdio") > 0);
    CHECK_EQ(fclose(f), 0);
    expect(path, "by-stdio\n");
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_EQ(write(fd, "fifteen-letters-and-more", 24), 24);
    CHECK_ERR(syscall(SYS_write, fd, 8, 4), EFAULT);
    expect(path, "fifteen-letters\n");
    CHECK_EQ(write(fd, "", 0), 0);
    expect(path, "\n");
    CHECK_EQ(write(fd, "once", 4), 4);
    CHECK_EQ(write(fd, "twice", 5), 5);
    CHECK_OK(close(fd));
    snprintf(path, sizeof path, "/proc/%d/task/%d/comm", getpid(), tid);
    expect(path, "twice\n");
    join_thread(t);
    CHECK_ERR(open(path, O_RDONLY), ENOENT);

    // The main thread's own file.
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", getpid());
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_EQ(write(fd, "last-main", 9), 9);
    CHECK_OK(close(fd));
    expect_own("last-main");
    // The same number is another file now.
    fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_EQ(write(fd, "nobody", 6), 6);
    expect_own("last-main");
    return 0;
}
