// A signal ends a long write, send or writev after a part: the handler has run, in the writer itself, before the count of that part is seen.
#include "check.h"
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { LONG = 8 << 20 };
static char *block;
static volatile sig_atomic_t handled;
static volatile pthread_t handler_ran_in;

static void on_signal(int sig) {
    (void)sig;
    handler_ran_in = pthread_self();
    handled = handled + 1;
}

static ssize_t by_write(int fd) { return write(fd, block, LONG); }
static ssize_t by_send(int fd) { return send(fd, block, LONG, 0); }
static ssize_t by_writev(int fd) {
    struct iovec halves[2] = {{block, LONG / 2}, {block + LONG / 2, LONG / 2}};
    return writev(fd, halves, 2);
}

struct transfer {
    ssize_t (*put)(int fd);
    int from, to;
    pthread_t writer;
    int to_process; // the signal is for the process, not for the writer
};

static int waiting(int fd) {
    int bytes = 0;
    CHECK_OK(ioctl(fd, FIONREAD, &bytes));
    return bytes;
}

// Once there is something to read, the call is under way: a signal can't come before it.
static void *interrupt(void *arg) {
    struct transfer *transfer = arg;
    EVENTUALLY(waiting(transfer->from) > 0);
    char some[100];
    CHECK_EQ(read(transfer->from, some, sizeof some), (long)sizeof some);
    if (transfer->to_process)
        CHECK_OK(kill(getpid(), SIGUSR1));
    else
        CHECK_RC(pthread_kill(transfer->writer, SIGUSR1), 0);
    return NULL;
}

static void *transfer_part(void *arg) {
    struct transfer *transfer = arg;
    sigset_t usr1, before;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    transfer->writer = pthread_self();
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    pthread_t other = spawn(interrupt, transfer);
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &usr1, &before), 0);
    handled = 0;
    ssize_t put = transfer->put(transfer->to);
    int handled_then = handled;
    CHECK(put > 0 && put < LONG);
    CHECK_EQ(handled_then, 1);
    CHECK(pthread_equal(handler_ran_in, pthread_self()));
    CHECK_RC(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    join_thread(other);
    return NULL;
}

enum channel { PIPE, SOCKET };

static void over(enum channel channel, ssize_t (*put)(int), int to_process, int in_thread) {
    int ends[2];
    CHECK_OK(channel == PIPE ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    struct transfer transfer = {put, ends[0], ends[1], 0, to_process};
    if (in_thread)
        join_thread(spawn(transfer_part, &transfer));
    else
        transfer_part(&transfer);
    CHECK_OK(close(ends[0]));
    CHECK_OK(close(ends[1]));
}

int main(void) {
    block = calloc(1, LONG);
    CHECK(block != NULL);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
        CHECK_OK(sigaction(SIGUSR1, &action, NULL));
        for (int to_process = 0; to_process <= 1; to_process++)
            for (int in_thread = 0; in_thread <= 1; in_thread++) {
                // A signal for the process must have one taker only.
                CHECK_RC(pthread_sigmask(in_thread && to_process ? SIG_BLOCK : SIG_UNBLOCK, &usr1, NULL), 0);
                over(PIPE, by_write, to_process, in_thread);
                over(PIPE, by_writev, to_process, in_thread);
                over(SOCKET, by_write, to_process, in_thread);
                over(SOCKET, by_send, to_process, in_thread);
                over(SOCKET, by_writev, to_process, in_thread);
            }
    }
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
