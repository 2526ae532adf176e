// With no more kernel threads to be had, threads that wait for pipes are served by whoever writes to them: pipes that the process could not open again, since it has become another user.
#include "os/channel.h"
#include <semaphore.h>
#include <sys/resource.h>

static int one[2], two[2];
static sem_t go;

static void *reads_one(void *arg) {
    char c;
    CHECK_EQ(read(one[0], &c, 1), 1);
    CHECK_EQ(c, '1');
    return arg;
}

static void *reads_two(void *arg) {
    char c;
    CHECK_OK(sem_wait(&go));
    CHECK_EQ(read(two[0], &c, 1), 1);
    CHECK_EQ(c, '2');
    return arg;
}

static void run(void) {
    open_pipe(one);
    open_pipe(two);
    CHECK_OK(sem_init(&go, 0, 0));
    uid_t nobody = 2000000000u + (uid_t)getpid();
    CHECK_OK(setresuid(nobody, nobody, nobody));
    pthread_t first = spawn(reads_one, NULL), second = spawn(reads_two, NULL);
    nap();
    // The kernel counts all threads of the user: natively those that there are, preloaded one and a helper at most.
    rlim_t limit = preloaded() ? 2 : 3;
    CHECK_OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){limit, limit}));
    CHECK_OK(sem_post(&go));
    nap();
    CHECK_EQ(write(two[1], "2", 1), 1);
    join_thread(second);
    CHECK_EQ(write(one[1], "1", 1), 1);
    join_thread(first);
}

int main(void) {
    if (getuid() != 0)
        SKIP("only root can take a user's id that nobody else has");
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        run();
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    return 0;
}
