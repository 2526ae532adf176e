// Signals that are ignored, ignored by default or blocked interrupt no call; a broken pipe's SIGPIPE goes to the thread that wrote.
#include "check.h"
#include <sys/socket.h>

static int ends[2], entered;
static volatile pthread_t by;
static volatile int pipes;

static void on_pipe(int sig) {
    (void)sig;
    by = pthread_self();
    pipes++;
}

static void never(int sig) {
    (void)sig;
    CHECK_FAIL("a blocked signal was delivered");
}

static void *reads(void *arg) {
    char c = 0;
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'z');
    return arg;
}

static void *breaks_pipe(void *arg) {
    for (int i = 1; i <= 10; i++) {
        int mine[2], pair[2];
        CHECK_OK(pipe(mine));
        CHECK_OK(close(mine[0]));
        CHECK_ERR(write(mine[1], "x", 1), EPIPE);
        CHECK_EQ(pipes, 2 * i - 1);
        CHECK(pthread_equal(by, pthread_self()));
        CHECK_OK(close(mine[1]));
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        CHECK_OK(close(pair[0]));
        CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
        CHECK_EQ(pipes, 2 * i - 1);
        CHECK_ERR(send(pair[1], "x", 1, 0), EPIPE);
        CHECK_EQ(pipes, 2 * i);
        CHECK_OK(close(pair[1]));
    }
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    CHECK(signal(SIGUSR2, never) != SIG_ERR);
    CHECK(signal(SIGPIPE, on_pipe) != SIG_ERR);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pthread_t t = spawn(reads, NULL);
    EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
    for (int i = 0; i < 5; i++) {
        sleep_ms(1);
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        CHECK_RC(pthread_kill(t, SIGUSR2), 0);
        CHECK_RC(pthread_kill(t, SIGCHLD), 0);
        CHECK_RC(pthread_kill(t, SIGURG), 0);
        CHECK_RC(pthread_kill(t, SIGWINCH), 0);
        CHECK_OK(kill(getpid(), SIGUSR1));
        CHECK_OK(kill(getpid(), SIGUSR2));
        CHECK_OK(kill(getpid(), SIGCHLD));
    }
    sleep_ms(2);
    CHECK_RC(pthread_tryjoin_np(t, NULL), EBUSY);
    CHECK_EQ(write(ends[1], "z", 1), 1);
    join_thread(t);
    join_thread(spawn(breaks_pipe, NULL));
    breaks_pipe((pipes = 0, NULL));
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    return 0;
}
