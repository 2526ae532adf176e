// SIGPIPE by default, blocked in the thread that writes only: it stays pending there alone, and ends nothing until it is let in.
#include "check.h"
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

static sigset_t pipe_set;
static int asked[2], answered[2];

static int is_pending(int signal) {
    sigset_t set;
    CHECK_OK(sigpending(&set));
    return sigismember(&set, signal);
}

static void take(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    struct timespec now = {0};
    CHECK_EQ(sigtimedwait(&set, NULL, &now), signal);
    CHECK(!is_pending(signal));
}

// A second thread that blocks the signal too: what others have pending is not its own.
static void *looks(void *arg) {
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &pipe_set, NULL), 0);
    char c;
    while (read(asked[0], &c, 1) == 1) {
        CHECK(!is_pending(SIGPIPE));
        CHECK_EQ(write(answered[1], &c, 1), 1);
    }
    return arg;
}

static void others_see_nothing(void) {
    char c = 'x';
    CHECK_EQ(write(asked[1], &c, 1), 1);
    CHECK_EQ(read(answered[0], &c, 1), 1);
}

static void *writes(void *arg) {
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &pipe_set, NULL), 0);
    for (int i = 0; i < 10; i++) {
        int ends[2];
        if (i % 2)
            CHECK_OK(pipe(ends));
        else
            CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
        CHECK_OK(close(ends[0]));
        CHECK(!is_pending(SIGPIPE));
        CHECK_ERR(write(ends[1], "x", 1), EPIPE);
        CHECK(is_pending(SIGPIPE));
        others_see_nothing();
        take(SIGPIPE);
        if (i % 2 == 0) {
            CHECK_ERR(send(ends[1], "x", 1, 0), EPIPE);
            CHECK(is_pending(SIGPIPE));
            others_see_nothing();
            take(SIGPIPE);
            CHECK_ERR(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
            CHECK(!is_pending(SIGPIPE));
        }
        CHECK_OK(close(ends[1]));
    }
    return arg;
}

static void *writes_beyond_limit(void *arg) {
    sigset_t set;
    sigfillset(&set);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    FILE *file = tmpfile();
    CHECK(file != NULL);
    CHECK_ERR(pwrite(fileno(file), "x", 1, 1 << 20), EFBIG);
    CHECK(is_pending(SIGXFSZ));
    take(SIGXFSZ);
    fclose(file);
    return arg;
}

static void *unblocks(void *arg) {
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(close(ends[0]));
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &pipe_set, NULL), 0);
    CHECK_ERR(write(ends[1], "x", 1), EPIPE);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &pipe_set, NULL), 0);
    CHECK_FAIL("SIGPIPE did not end the process");
    return arg;
}

static void *sends_to_process(void *arg) {
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &pipe_set, NULL), 0);
    CHECK_OK(kill(getpid(), SIGPIPE));
    for (;;)
        pause();
    return arg;
}

static void *only_blocks(void *arg) {
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &pipe_set, NULL), 0);
    return arg;
}

static void writes_itself(void) {
    join_thread(spawn(only_blocks, NULL));
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(close(ends[0]));
    write(ends[1], "x", 1);
    CHECK_FAIL("SIGPIPE did not end the process");
}

static void vfork_child_writes(void) {
    join_thread(spawn(only_blocks, NULL));
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(close(ends[0]));
    pid_t pid = vfork();
    if (pid == 0) {
        write(ends[1], "x", 1);
        _exit(3);
    }
    CHECK_OK(pid);
    int status = wait_child(pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    writes_itself();
}

static void ended_by_pipe(void (*act)(void)) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        act();
        _exit(2);
    }
    int status = wait_child(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGPIPE);
}

static void child_unblocks(void) { join_thread(spawn(unblocks, NULL)); }
static void child_sends(void) { join_thread(spawn(sends_to_process, NULL)); }

int main(void) {
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&pipe_set);
    sigaddset(&pipe_set, SIGPIPE);
    ended_by_pipe(child_unblocks);
    ended_by_pipe(child_sends);
    ended_by_pipe(writes_itself);
    ended_by_pipe(vfork_child_writes);

    CHECK_OK(pipe(asked));
    CHECK_OK(pipe(answered));
    pthread_t other = spawn(looks, NULL);
    join_thread(spawn(writes, NULL));
    CHECK(!is_pending(SIGPIPE));
    // The same where every thread blocks it.
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &pipe_set, NULL), 0);
    join_thread(spawn(writes, NULL));
    writes(NULL);
    CHECK_OK(close(asked[1]));
    join_thread(other);

    struct rlimit limit = {1 << 16, RLIM_INFINITY};
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    join_thread(spawn(writes_beyond_limit, NULL));
    return 0;
}
