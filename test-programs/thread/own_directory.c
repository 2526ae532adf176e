// A thread that has unshared it (CLONE_FS) has a working directory and a file mode mask of its own, and so have the threads
// that it makes; the others keep theirs, through every change of turns, and a child gets its maker's.
#include "check.h"
#include <sys/stat.h>

static char top[] = "/tmp/greenpatch-test-XXXXXX";
static pthread_barrier_t step;

static void check_at(const char *directory, mode_t mask) {
    char at[256], want[300];
    CHECK(getcwd(at, sizeof at) != NULL);
    snprintf(want, sizeof want, "%s%s", top, directory);
    CHECK(strcmp(at, want) == 0);
    CHECK_EQ(umask(mask), mask);
}

static void check_again_and_again(const char *directory, mode_t mask) {
    for (int i = 0; i < 20; i++) {
        check_at(directory, mask);
        sched_yield();
    }
}

// Made by a thread with a directory of its own: in it, and moves it along.
static void *made_by_own(void *directory) {
    check_again_and_again(directory, 0123);
    CHECK_EQ(chdir(".."), 0);
    return NULL;
}

static void *own(void *directory) {
    check_at("", 022);
    CHECK_EQ(unshare(CLONE_FS), 0);
    check_at("", 022);
    CHECK_EQ(chdir((const char *)directory + 1), 0);
    CHECK_EQ(umask(0123), 022);
    pthread_barrier_wait(&step);
    check_again_and_again(directory, 0123);

    // A FIFO is opened in another thread's turn, by a name that only this directory has.
    CHECK_EQ(mkfifo("fifo", 0600), 0);
    pthread_barrier_wait(&step);
    int fd = open("fifo", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(unlink("fifo"), 0);

    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        check_at(directory, 0123);
        CHECK_EQ(chdir("/"), 0);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);

    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, made_by_own, directory), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    check_again_and_again("", 0123);
    CHECK_EQ(unshare(CLONE_FS), 0);
    check_at("", 0123);
    CHECK_EQ(chdir("/"), 0);
    return NULL;
}

int main(void) {
    CHECK(mkdtemp(top) != NULL);
    CHECK_EQ(chdir(top), 0);
    umask(022);
    CHECK_EQ(mkdir("a", 0700), 0);
    CHECK_EQ(mkdir("b", 0700), 0);
    CHECK_EQ(mkdir("main", 0700), 0);
    CHECK_EQ(pthread_barrier_init(&step, NULL, 3), 0);
    pthread_t threads[2];
    CHECK_EQ(pthread_create(&threads[0], NULL, own, "/a"), 0);
    CHECK_EQ(pthread_create(&threads[1], NULL, own, "/b"), 0);
    pthread_barrier_wait(&step);
    check_again_and_again("", 022);
    pthread_barrier_wait(&step);
    CHECK_EQ(chdir("main"), 0);
    const char *fifos[] = {"../a/fifo", "../b/fifo"};
    for (int i = 0; i < 2; i++) {
        int fd = open(fifos[i], O_WRONLY);
        CHECK(fd >= 0);
        CHECK_EQ(close(fd), 0);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        check_at("/main", 022);
    }
    const char *made[] = {"main", "a", "b"};
    CHECK_EQ(chdir(".."), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(rmdir(made[i]), 0);
    }
    CHECK_EQ(rmdir(top), 0);
    return 0;
}
