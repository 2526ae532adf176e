// Connected pairs of descriptors of every kind, and whole transfers through them.
#ifndef CHANNEL_H
#define CHANNEL_H
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>

// Gives the other threads time to block. A hint only: no result depends on it.
CHECK_UNUSED static void nap(void) { sleep_ms(5); }

// Returns once the thread, which stores its tid in *tid just before a call that waits, waits in that call. A green
// thread, which the kernel doesn't know, gets there while this one sleeps.
CHECK_UNUSED static void await_blocked(pid_t *tid) {
    EVENTUALLY(__atomic_load_n(tid, __ATOMIC_SEQ_CST) != 0);
    char path[64], stat[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)*tid);
    for (int tries = 0; tries < 20000; tries++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd == -1) {
            sleep_ms(10);
            return;
        }
        ssize_t n = read(fd, stat, sizeof stat - 1);
        CHECK_OK(close(fd));
        stat[n > 0 ? n : 0] = '\0';
        char *state = strrchr(stat, ')');
        if (state != NULL && state[2] == 'S')
            return;
        sleep_ms(1);
    }
    CHECK_FAIL("thread %d does not wait", (int)*tid);
}

CHECK_UNUSED static void about_to_block(pid_t *tid) { __atomic_store_n(tid, gettid(), __ATOMIC_SEQ_CST); }

// Bytes that depend on their place, so that a lost, doubled or moved one shows.
CHECK_UNUSED static void fill(char *data, size_t len, uint32_t seed) {
    for (size_t i = 0; i < len; i++)
        data[i] = (char)((i + seed) * 2654435761u >> 24);
}

CHECK_UNUSED static void check_filled(const char *data, size_t len, uint32_t seed) {
    for (size_t i = 0; i < len; i++)
        if (data[i] != (char)((i + seed) * 2654435761u >> 24))
            CHECK_FAIL("byte %zu of %zu is wrong", i, len);
}

CHECK_UNUSED static void write_whole(int fd, const void *data, size_t len) {
    for (const char *at = data; len > 0;) {
        ssize_t n = write(fd, at, len);
        if (n == -1 && errno == EINTR)
            continue;
        CHECK(n > 0);
        at += n, len -= n;
    }
}

CHECK_UNUSED static void read_whole(int fd, void *data, size_t len) {
    for (char *at = data; len > 0;) {
        ssize_t n = read(fd, at, len);
        if (n == -1 && errno == EINTR)
            continue;
        CHECK(n > 0);
        at += n, len -= n;
    }
}

// A template for mkstemp and mkdtemp, where the caller wants temporary files.
CHECK_UNUSED static char *temp_template(char path[256]) {
    const char *folder = getenv("TMPDIR");
    CHECK(snprintf(path, 256, "%s/greenpatch-test-XXXXXX", folder != NULL ? folder : "/tmp") < 256);
    return path;
}

// A new directory, whose path the caller may extend.
CHECK_UNUSED static char *temp_dir(char path[256]) {
    CHECK(mkdtemp(temp_template(path)) != NULL);
    return path;
}

// A new file without a name.
CHECK_UNUSED static int temp_file(void) {
    char path[256];
    int fd = mkostemp(temp_template(path), O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(unlink(path));
    return fd;
}

CHECK_UNUSED static int tcp_listener(struct sockaddr_in *addr) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof *addr;
    CHECK_OK(bind(fd, (struct sockaddr *)addr, len));
    CHECK_OK(listen(fd, 128));
    CHECK_OK(getsockname(fd, (struct sockaddr *)addr, &len));
    return fd;
}

CHECK_UNUSED static int tcp_connect(const struct sockaddr_in *addr) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(connect(fd, (const struct sockaddr *)addr, sizeof *addr));
    return fd;
}

// An address in the abstract name space that nobody else uses.
CHECK_UNUSED static socklen_t unix_address(struct sockaddr_un *addr) {
    static int number;
    memset(addr, 0, sizeof *addr);
    addr->sun_family = AF_UNIX;
    int n = snprintf(addr->sun_path + 1, sizeof addr->sun_path - 1, "greenpatch-test-%d-%d", (int)getpid(),
                     __atomic_add_fetch(&number, 1, __ATOMIC_SEQ_CST));
    return offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

// The end[0] of a pair reads and end[1] writes; sockets do both at both ends.
CHECK_UNUSED static void open_pipe(int end[2]) { CHECK_OK(pipe(end)); }
CHECK_UNUSED static void open_stream(int end[2]) { CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, end)); }
CHECK_UNUSED static void open_datagram(int end[2]) { CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, end)); }
CHECK_UNUSED static void open_seqpacket(int end[2]) { CHECK_OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, end)); }

CHECK_UNUSED static void open_fifo(int end[2]) {
    char dir[256], path[300];
    snprintf(path, sizeof path, "%s/fifo", temp_dir(dir));
    CHECK_OK(mkfifo(path, 0600));
    int both = open(path, O_RDWR);
    CHECK(both >= 0);
    CHECK_OK(end[0] = open(path, O_RDONLY));
    CHECK_OK(end[1] = open(path, O_WRONLY));
    CHECK_OK(close(both));
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
}

CHECK_UNUSED static void open_tcp(int end[2]) {
    struct sockaddr_in addr;
    int listener = tcp_listener(&addr);
    end[1] = tcp_connect(&addr);
    CHECK_OK(end[0] = accept(listener, NULL, NULL));
    CHECK_OK(close(listener));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(setsockopt(end[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)));
        // Buffers that don't grow until a megabyte fits.
        CHECK_OK(setsockopt(end[i], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)));
        CHECK_OK(setsockopt(end[i], SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int)));
    }
}

CHECK_UNUSED static void open_udp(int end[2]) {
    struct sockaddr_in addr[2];
    for (int i = 0; i < 2; i++) {
        CHECK_OK(end[i] = socket(AF_INET, SOCK_DGRAM, 0));
        addr[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof addr[i];
        CHECK_OK(bind(end[i], (struct sockaddr *)&addr[i], len));
        CHECK_OK(getsockname(end[i], (struct sockaddr *)&addr[i], &len));
    }
    for (int i = 0; i < 2; i++)
        CHECK_OK(connect(end[i], (struct sockaddr *)&addr[!i], sizeof addr[0]));
}

// A pseudo-terminal that changes no byte: end[0] is the terminal, end[1] its master.
CHECK_UNUSED static void open_raw_pty(int end[2]) {
    CHECK_OK(end[1] = posix_openpt(O_RDWR | O_NOCTTY));
    CHECK_OK(grantpt(end[1]));
    CHECK_OK(unlockpt(end[1]));
    char name[64];
    CHECK_EQ(ptsname_r(end[1], name, sizeof name), 0);
    CHECK_OK(end[0] = open(name, O_RDWR | O_NOCTTY));
    struct termios mode;
    CHECK_OK(tcgetattr(end[0], &mode));
    cfmakeraw(&mode);
    CHECK_OK(tcsetattr(end[0], TCSANOW, &mode));
}

enum { IS_STREAM = 1, IS_SOCKET = 2, HAS_END = 4 };

static const struct kind {
    const char *name;
    void (*open)(int end[2]);
    int traits;
} kinds[] CHECK_UNUSED = {
    {"pipe", open_pipe, IS_STREAM | HAS_END},
    {"fifo", open_fifo, IS_STREAM | HAS_END},
    {"unix stream", open_stream, IS_STREAM | IS_SOCKET | HAS_END},
    {"unix datagram", open_datagram, IS_SOCKET},
    {"unix seqpacket", open_seqpacket, IS_SOCKET | HAS_END},
    {"tcp", open_tcp, IS_STREAM | IS_SOCKET | HAS_END},
    {"udp", open_udp, IS_SOCKET},
    {"pty", open_raw_pty, IS_STREAM},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

CHECK_UNUSED static void close_both(int end[2]) {
    CHECK_OK(close(end[0]));
    CHECK_OK(close(end[1]));
}

// What a thread does once, after the others had time to block.
struct later {
    int fd;
    const void *data;
    size_t len;
    void (*act)(int fd);
};

CHECK_UNUSED static void *do_later(void *arg) {
    struct later *later = arg;
    nap();
    if (later->act != NULL)
        later->act(later->fd);
    else
        write_whole(later->fd, later->data, later->len);
    return NULL;
}

// Sends SIGUSR1 until the thread says that it is done: a signal that comes before the call blocks would be lost.
struct interrupter {
    pthread_t target;
    int done;
};

CHECK_UNUSED static void *interrupt_until_done(void *arg) {
    struct interrupter *i = arg;
    while (!__atomic_load_n(&i->done, __ATOMIC_SEQ_CST)) {
        nap();
        CHECK_RC(pthread_kill(i->target, SIGUSR1), 0);
    }
    return NULL;
}

static volatile sig_atomic_t signals_seen CHECK_UNUSED;
CHECK_UNUSED static void count_signal(int sig) {
    (void)sig;
    signals_seen++;
}

CHECK_UNUSED static void on_signal(int sig, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK_OK(sigaction(sig, &action, NULL));
}

// `call` must fail with EINTR, and would otherwise block for ever.
#define CHECK_INTERRUPTED(call)                                            \
    do {                                                                   \
        on_signal(SIGUSR1, count_signal, 0);                               \
        signals_seen = 0;                                                  \
        struct interrupter check_i_ = {pthread_self(), 0};                 \
        pthread_t check_t_ = spawn(interrupt_until_done, &check_i_);       \
        CHECK_ERR(call, EINTR);                                            \
        CHECK(signals_seen > 0);                                           \
        __atomic_store_n(&check_i_.done, 1, __ATOMIC_SEQ_CST);             \
        join_thread(check_t_);                                             \
    } while (0)

#endif
