// With no more kernel threads to be had than one, threads that wait for locks on a file still get them, one after another.
#include "os/channel.h"
#include <sys/file.h>
#include <sys/resource.h>

enum { THREADS = 6 };
static char path[64];
static int gate[2], held, got;

static void *lock_file(void *arg) {
    char c;
    CHECK_EQ(read(gate[0], &c, 1), 1);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_EQ(__atomic_fetch_add(&held, 1, __ATOMIC_SEQ_CST), 0);
    sched_yield();
    __atomic_fetch_sub(&held, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&got, 1, __ATOMIC_SEQ_CST);
    CHECK_OK(close(fd));
    return arg;
}

static void run(int fd) {
    open_pipe(gate);
    uid_t nobody = 2000000000u + (uid_t)getpid();
    CHECK_OK(setresuid(nobody, nobody, nobody));
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(lock_file, NULL);
    // The kernel counts all threads of the user: natively those that there are, preloaded one and a helper.
    rlim_t limit = preloaded() ? 2 : THREADS + 1;
    CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){limit, limit}));
    CHECK_EQ(write(gate[1], "abcdef", THREADS), THREADS);
    nap();
    CHECK_EQ(got, 0);
    CHECK_OK(flock(fd, LOCK_UN));
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_EQ(got, THREADS);
}

int main(void) {
    if (getuid() != 0)
        SKIP("only root can take a user's id that nobody else has");
    snprintf(path, sizeof path, "/tmp/greenpatch-few-%d", getpid());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    CHECK_OK(fd);
    CHECK_OK(fchmod(fd, 0666));
    CHECK_OK(flock(fd, LOCK_EX));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        run(fd);
        _exit(0);
    }
    int status = wait_child(pid);
    CHECK_OK(unlink(path));
    CHECK_EQ(status, 0);
    return 0;
}
