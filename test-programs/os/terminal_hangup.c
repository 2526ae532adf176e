// A terminal whose master is closed hangs up: waiting reads end, later ones are the end of file, writes and ioctls EIO, poll says POLLHUP, and the session that had it gets SIGHUP and SIGCONT.
#include "os/channel.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static int terminal, master;

// Natively the thread that closes may be faster than the one that reads.
static void *read_terminal(void *arg) {
    char byte;
    about_to_block(arg);
    ssize_t n = read(terminal, &byte, 1);
    CHECK(n == 0 || (n == -1 && errno == EIO));
    return NULL;
}

static void *poll_terminal(void *arg) {
    struct pollfd p = {.fd = terminal, .events = POLLIN};
    about_to_block(arg);
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK(p.revents & POLLHUP);
    return NULL;
}

static void *epoll_terminal(void *arg) {
    int set = epoll_create1(0);
    CHECK_OK(set);
    struct epoll_event event = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, terminal, &event));
    about_to_block(arg);
    CHECK_EQ(epoll_wait(set, &event, 1, -1), 1);
    CHECK(event.events & EPOLLHUP);
    CHECK_OK(close(set));
    return NULL;
}

// Full, so that it waits for the master to be read.
static void *write_terminal(void *arg) {
    static char data[1 << 16];
    about_to_block(arg);
    ssize_t n = write(terminal, data, sizeof data);
    CHECK(n < (ssize_t)sizeof data);
    if (n == -1)
        CHECK_EQ(errno, EIO);
    return NULL;
}

static void hang_up(void *(*waits)(void *)) {
    int end[2];
    pid_t tid = 0;
    open_raw_pty(end);
    terminal = end[0], master = end[1];
    pthread_t waiter = spawn(waits, &tid);
    await_blocked(&tid);
    CHECK_OK(close(master));
    join_thread(waiter);
    char byte;
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(read(terminal, &byte, 1), 0);
        CHECK_ERR(write(terminal, "x", 1), EIO);
        struct termios mode;
        CHECK_ERR(tcgetattr(terminal, &mode), EIO);
        struct pollfd p = {.fd = terminal, .events = POLLIN | POLLOUT};
        CHECK_EQ(poll(&p, 1, -1), 1);
        CHECK(p.revents & POLLHUP);
    }
    CHECK_OK(close(terminal));
}

// The other way round: the master of a terminal that nobody has open.
static void *read_master(void *arg) {
    char byte;
    about_to_block(arg);
    CHECK_ERR(read(master, &byte, 1), EIO);
    struct pollfd p = {.fd = master, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK(p.revents & POLLHUP);
    return NULL;
}

static volatile sig_atomic_t hung_up, continued;
static void on_hang_up(int signal) { (void)signal, hung_up = 1; }
static void on_continue(int signal) { (void)signal, continued = 1; }

static void *read_in_session(void *arg) {
    sigset_t all;
    char byte;
    sigfillset(&all);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    ssize_t n = read(terminal, &byte, 1);
    CHECK(n == 0 || (n == -1 && errno == EIO));
    return arg;
}

static void session(void) {
    int ready[2];
    CHECK_OK(master = posix_openpt(O_RDWR | O_NOCTTY));
    CHECK_OK(grantpt(master));
    CHECK_OK(unlockpt(master));
    CHECK_OK(pipe(ready));
    pid_t leader = fork();
    CHECK_OK(leader);
    if (leader == 0) {
        char name[64];
        on_signal(SIGHUP, on_hang_up, 0);
        on_signal(SIGCONT, on_continue, 0);
        CHECK_OK(setsid());
        CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
        CHECK_OK(close(master));
        CHECK_OK(terminal = open(name, O_RDWR | O_NOCTTY));
        CHECK_OK(ioctl(terminal, TIOCSCTTY, 0));
        pthread_t reader = spawn(read_in_session, NULL);
        CHECK_EQ(write(ready[1], "x", 1), 1);
        EVENTUALLY(hung_up && continued);
        join_thread(reader);
        CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
        exit(0);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_OK(close(master));
    CHECK_EQ(wait_child(leader), 0);
}

int main(void) {
    hang_up(read_terminal);
    hang_up(poll_terminal);
    hang_up(epoll_terminal);
    hang_up(write_terminal);

    int end[2];
    pid_t tid = 0;
    open_raw_pty(end);
    master = end[1];
    pthread_t waiter = spawn(read_master, &tid);
    await_blocked(&tid);
    CHECK_OK(close(end[0]));
    join_thread(waiter);
    CHECK_OK(close(master));
    session();
    return 0;
}
