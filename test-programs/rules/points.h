// Every call that waits, each with an object of its own to wait for, and what ends the wait. The programs beside this
// file put all of them through one rule each.
#ifndef POINTS_H
#define POINTS_H
#include "os/channel.h"
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>

#ifndef SYS_io_pgetevents
#define SYS_io_pgetevents 333
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum {
    RESTARTS = 1, // goes on after a handler with SA_RESTART
    CANCELS = 2,  // a cancellation point
    QUITS = 4,    // with O_NONBLOCK on `wait` it fails with EAGAIN
    KEEPS = 8,    // goes on if `wait` is closed meanwhile
    SLEEPS = 16,  // nothing ends it but time
};

struct object {
    int wait, other;  // what is waited on, and its other end
    int more[2];
    int id;
    aio_context_t ring;
    char path[300];
    long milliseconds; // of a sleep
    pid_t waiter;
};

struct point {
    const char *name;
    void (*make)(struct object *o);
    long (*call)(struct object *o);
    void (*release)(struct object *o);
    long want;
    int traits;
};

static void none(struct object *o) { *o = (struct object){.wait = -1, .other = -1, .more = {-1, -1}, .id = -1}; }

static void make_pair(struct object *o, void (*open)(int end[2])) {
    int end[2];
    none(o);
    open(end);
    o->wait = end[0], o->other = end[1];
}
static void a_pipe(struct object *o) { make_pair(o, open_pipe); }
static void a_fifo(struct object *o) { make_pair(o, open_fifo); }
static void a_stream(struct object *o) { make_pair(o, open_stream); }
static void a_tcp(struct object *o) { make_pair(o, open_tcp); }
static void a_datagram(struct object *o) { make_pair(o, open_datagram); }
static void a_seqpacket(struct object *o) { make_pair(o, open_seqpacket); }
static void a_udp(struct object *o) { make_pair(o, open_udp); }
static void a_terminal(struct object *o) { make_pair(o, open_raw_pty); }
static void feed(struct object *o) { CHECK_EQ(write(o->other, "x", 1), 1); }

// Full ones: what is waited on is the end that is written to.
static void fill_up(int fd) {
    static char block[65536];
    int flags = fcntl(fd, F_GETFL);
    CHECK_OK(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
    for (size_t size = sizeof block; size > 0; size /= 16)
        while (write(fd, block, size) > 0) {
        }
    CHECK_OK(fcntl(fd, F_SETFL, flags));
}
static void full(struct object *o, void (*open)(int end[2])) {
    int end[2];
    none(o);
    open(end);
    o->wait = end[1], o->other = end[0];
    fill_up(o->wait);
}
static void full_pipe(struct object *o) { full(o, open_pipe); }
static void full_stream(struct object *o) { full(o, open_stream); }
static void full_seqpacket(struct object *o) { full(o, open_seqpacket); }
static void full_datagram(struct object *o) { full(o, open_datagram); }
static void drain(struct object *o) {
    static char block[1 << 20];
    int flags = fcntl(o->other, F_GETFL);
    CHECK_OK(fcntl(o->other, F_SETFL, flags | O_NONBLOCK));
    while (read(o->other, block, sizeof block) > 0) {
    }
    CHECK_OK(fcntl(o->other, F_SETFL, flags));
}

static char in[8];
#define VECTOR struct iovec part = {in, 1}
#define MESSAGE VECTOR; struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1}
static long in_read(struct object *o) { return read(o->wait, in, 1); }
static long in_readv(struct object *o) { VECTOR; return readv(o->wait, &part, 1); }
static long in_preadv2(struct object *o) { VECTOR; return preadv2(o->wait, &part, 1, -1, 0); }
static long in_recv(struct object *o) { return recv(o->wait, in, 1, 0); }
static long in_recv_peek(struct object *o) { return recv(o->wait, in, 1, MSG_PEEK); }
static long in_recv_waitall(struct object *o) { return recv(o->wait, in, 1, MSG_WAITALL); }
static long in_recvfrom(struct object *o) { return recvfrom(o->wait, in, 1, 0, NULL, NULL); }
static long in_recvmsg(struct object *o) { MESSAGE; return recvmsg(o->wait, &message, 0); }
static long in_recvmmsg(struct object *o) {
    VECTOR;
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return recvmmsg(o->wait, &message, 1, 0, NULL);
}
static long in_write(struct object *o) { return write(o->wait, in, 1); }
static long in_writev(struct object *o) { VECTOR; return writev(o->wait, &part, 1); }
static long in_pwritev2(struct object *o) { VECTOR; return pwritev2(o->wait, &part, 1, -1, 0); }
static long in_send(struct object *o) { return send(o->wait, in, 1, 0); }
static long in_sendto(struct object *o) { return sendto(o->wait, in, 1, MSG_NOSIGNAL, NULL, 0); }
static long in_sendmsg(struct object *o) { MESSAGE; return sendmsg(o->wait, &message, 0); }
static long in_sendmmsg(struct object *o) {
    VECTOR;
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return sendmmsg(o->wait, &message, 1, 0);
}

static void an_eventfd(struct object *o) {
    none(o);
    CHECK_OK(o->wait = eventfd(0, 0));
    CHECK_OK(o->other = dup(o->wait));
}
static void full_eventfd(struct object *o) {
    an_eventfd(o);
    uint64_t most = UINT64_MAX - 1;
    CHECK_EQ(write(o->wait, &most, 8), 8);
}
static long in_read8(struct object *o) { uint64_t value; return read(o->wait, &value, 8); }
static long in_write8(struct object *o) { uint64_t one = 1; return write(o->wait, &one, 8); }
static void add_one(struct object *o) { uint64_t one = 1; CHECK_EQ(write(o->other, &one, 8), 8); }
static void take_all(struct object *o) { uint64_t all; CHECK_EQ(read(o->other, &all, 8), 8); }
static void a_timer(struct object *o) {
    none(o);
    CHECK_OK(o->wait = timerfd_create(CLOCK_MONOTONIC, 0));
    CHECK_OK(o->other = dup(o->wait));
}
static void expire(struct object *o) {
    struct itimerspec soon = {.it_value = {0, 1000000}};
    CHECK_OK(timerfd_settime(o->other, 0, &soon, NULL));
}
static void an_inotify(struct object *o) {
    char folder[256];
    none(o);
    CHECK_OK(o->wait = inotify_init1(0));
    snprintf(o->path, sizeof o->path, "%s", temp_dir(folder));
    CHECK_OK(inotify_add_watch(o->wait, o->path, IN_DELETE_SELF));
}
static long in_read_event(struct object *o) {
    char event[512];
    return read(o->wait, event, sizeof event) > 0 ? 1 : -1;
}
static void remove_folder(struct object *o) { CHECK_OK(rmdir(o->path)); }

static void a_listener(struct object *o) {
    struct sockaddr_in address;
    none(o);
    o->wait = tcp_listener(&address);
    o->id = ntohs(address.sin_port);
}
static long accepted(int fd) { return fd < 0 ? -1 : close(fd); }
static long in_accept(struct object *o) { return accepted(accept(o->wait, NULL, NULL)); }
static long in_accept4(struct object *o) { return accepted(accept4(o->wait, NULL, NULL, SOCK_CLOEXEC)); }
static void connect_to(struct object *o) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)o->id)};
    o->other = tcp_connect(&address);
}
// The queue of the listener `other` is full.
static void a_crowd(struct object *o) {
    struct sockaddr_un address;
    none(o);
    socklen_t size = unix_address(&address);
    memcpy(o->path, &address, size);
    o->id = (int)size;
    CHECK_OK(o->other = socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_OK(bind(o->other, (struct sockaddr *)&address, size));
    CHECK_OK(listen(o->other, 0));
    for (int fd;;) {
        CHECK_OK(fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        int result = connect(fd, (struct sockaddr *)&address, size);
        if (result == -1) {
            CHECK_OK(close(fd));
            break;
        }
        o->more[0] = fd;
    }
    CHECK_OK(o->wait = socket(AF_UNIX, SOCK_STREAM, 0));
}
static long in_connect(struct object *o) { return connect(o->wait, (struct sockaddr *)o->path, (socklen_t)o->id); }
static void accept_one(struct object *o) { CHECK_OK(o->more[1] = accept(o->other, NULL, NULL)); }

static long in_poll(struct object *o) { struct pollfd p = {.fd = o->wait, .events = POLLIN}; return poll(&p, 1, -1); }
static long in_poll_many(struct object *o) {
    struct pollfd p[3] = {{.fd = -1}, {.fd = o->wait, .events = POLLIN}, {.fd = o->wait, .events = POLLPRI}};
    return poll(p, 3, 1000000);
}
static long in_ppoll(struct object *o) {
    struct pollfd p = {.fd = o->wait, .events = POLLIN};
    return ppoll(&p, 1, NULL, NULL);
}
static long in_select(struct object *o) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(o->wait, &set);
    return select(o->wait + 1, &set, NULL, NULL, NULL);
}
static long in_pselect(struct object *o) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(o->wait, &set);
    struct timespec long_enough = {1000, 0};
    return pselect(o->wait + 1, &set, NULL, NULL, &long_enough, NULL);
}
static void an_epoll(struct object *o) {
    int end[2];
    none(o);
    open_pipe(end);
    CHECK_OK(o->wait = epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(o->wait, EPOLL_CTL_ADD, end[0], &event));
    o->more[0] = end[0], o->other = end[1];
}
static long in_epoll_wait(struct object *o) { struct epoll_event e; return epoll_wait(o->wait, &e, 1, -1); }
static long in_epoll_pwait(struct object *o) { struct epoll_event e; return epoll_pwait(o->wait, &e, 1, 1000000, NULL); }
static long in_epoll_pwait2(struct object *o) {
    struct epoll_event e;
    struct timespec long_enough = {1000, 0};
    return syscall(SYS_epoll_pwait2, o->wait, &e, 1, &long_enough, NULL, 8);
}

static long slept(int error) { return error == 0 ? 0 : (errno = error, -1); }
static struct timespec length(struct object *o) {
    return (struct timespec){o->milliseconds / 1000, o->milliseconds % 1000 * 1000000};
}
static long in_nanosleep(struct object *o) { struct timespec t = length(o); return nanosleep(&t, NULL); }
static long in_clock_nanosleep(struct object *o) {
    struct timespec t = length(o);
    return slept(clock_nanosleep(CLOCK_BOOTTIME, 0, &t, NULL));
}
static long in_clock_nanosleep_until(struct object *o) {
    struct timespec now, t = length(o);
    CHECK_OK(clock_gettime(CLOCK_REALTIME, &now));
    long ns = now.tv_nsec + t.tv_nsec;
    t = (struct timespec){now.tv_sec + t.tv_sec + ns / 1000000000, ns % 1000000000};
    return slept(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL));
}

struct letter { long type; char text[4096]; };
static void a_queue(struct object *o) { none(o); CHECK_OK(o->id = msgget(IPC_PRIVATE, 0600)); }
static void full_queue(struct object *o) {
    static struct letter letter = {.type = 1};
    a_queue(o);
    while (msgsnd(o->id, &letter, sizeof letter.text, IPC_NOWAIT) == 0) {
    }
}
static long in_msgrcv(struct object *o) { struct letter l; return msgrcv(o->id, &l, 1, 0, 0); }
static long in_msgsnd(struct object *o) { static struct letter l = {.type = 1}; return msgsnd(o->id, &l, sizeof l.text, 0); }
static void post(struct object *o) { struct letter l = {.type = 1}; CHECK_OK(msgsnd(o->id, &l, 1, 0)); }
static void collect(struct object *o) { struct letter l; CHECK_OK(msgrcv(o->id, &l, sizeof l.text, 0, 0)); }
static void a_semaphore(struct object *o) { none(o); CHECK_OK(o->id = semget(IPC_PRIVATE, 1, 0600)); o->more[0] = -2; }
static long in_semop(struct object *o) { struct sembuf b = {0, -1, 0}; return semop(o->id, &b, 1); }
static long in_semtimedop(struct object *o) {
    struct sembuf b = {0, -1, 0};
    struct timespec long_enough = {1000, 0};
    return semtimedop(o->id, &b, 1, &long_enough);
}
static void raise_it(struct object *o) { struct sembuf b = {0, 1, 0}; CHECK_OK(semop(o->id, &b, 1)); }
static void a_mq(struct object *o) {
    static int number;
    none(o);
    snprintf(o->path, sizeof o->path, "/greenpatch-test-%d-%d", (int)getpid(), __atomic_add_fetch(&number, 1, __ATOMIC_SEQ_CST));
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
    CHECK_OK(o->wait = mq_open(o->path, O_RDWR | O_CREAT, 0600, &attr));
    CHECK_OK(o->other = mq_open(o->path, O_RDWR));
    CHECK_OK(mq_unlink(o->path));
}
static void full_mq(struct object *o) { a_mq(o); CHECK_OK(mq_send(o->other, "x", 1, 0)); }
static long in_mq_receive(struct object *o) { char m[8]; return mq_receive(o->wait, m, 8, NULL); }
static long in_mq_timedreceive(struct object *o) {
    char m[8];
    struct timespec far = {4000000000, 0};
    return mq_timedreceive(o->wait, m, 8, NULL, &far);
}
static long in_mq_send(struct object *o) { return mq_send(o->wait, "x", 1, 0); }
static void mq_feed(struct object *o) { CHECK_OK(mq_send(o->other, "x", 1, 0)); }
static void mq_take(struct object *o) { char m[8]; CHECK_EQ(mq_receive(o->other, m, 8, NULL), 1); }

static void a_locked_file(struct object *o) {
    char path[256], link[64];
    none(o);
    CHECK_OK(o->other = mkostemp(temp_template(path), O_CLOEXEC));
    snprintf(link, sizeof link, "/proc/self/fd/%d", o->other);
    CHECK_OK(o->wait = open(link, O_RDWR));
    CHECK_OK(unlink(path));
    struct flock lock = {.l_type = F_WRLCK};
    CHECK_OK(flock(o->other, LOCK_EX));
    CHECK_OK(fcntl(o->other, F_OFD_SETLK, &lock));
}
static long in_flock(struct object *o) { return flock(o->wait, LOCK_EX); }
static long in_setlkw(struct object *o) { struct flock lock = {.l_type = F_RDLCK}; return fcntl(o->wait, F_OFD_SETLKW, &lock); }
static void unlock(struct object *o) {
    struct flock lock = {.l_type = F_UNLCK};
    CHECK_OK(flock(o->other, LOCK_UN));
    CHECK_OK(fcntl(o->other, F_OFD_SETLK, &lock));
}
static void a_fifo_path(struct object *o) {
    char folder[256];
    none(o);
    snprintf(o->path, sizeof o->path, "%s/fifo", temp_dir(folder));
    unlink(o->path); // left by a run that was killed
    CHECK_OK(mkfifo(o->path, 0600));
}
static long in_open(struct object *o) { return accepted(open(o->path, O_RDONLY)); }
static long in_openat(struct object *o) { return accepted(openat(AT_FDCWD, o->path, O_RDONLY)); }
static long in_sys_open(struct object *o) { return accepted((int)syscall(SYS_open, o->path, O_RDONLY)); }
static long in_openat2(struct object *o) {
    struct open_how how = {.flags = O_RDONLY};
    return accepted((int)syscall(SYS_openat2, AT_FDCWD, o->path, &how, sizeof how));
}
static long in_creat(struct object *o) { return accepted(creat(o->path, 0600)); }
static void read_it(struct object *o) { CHECK_OK(o->other = open(o->path, O_RDONLY | O_NONBLOCK)); }
static void open_it(struct object *o) { EVENTUALLY((o->other = open(o->path, O_WRONLY | O_NONBLOCK)) != -1); }

static void two_pipes(struct object *o) { a_pipe(o); CHECK_OK(pipe(o->more)); }
static long in_splice(struct object *o) { return splice(o->wait, NULL, o->more[1], NULL, 1, 0); }
static long in_tee(struct object *o) { return tee(o->wait, o->more[1], 1, 0); }
static long in_vmsplice(struct object *o) { VECTOR; return vmsplice(o->wait, &part, 1, 0); }
static void full_and_file(struct object *o) {
    full_stream(o);
    o->more[0] = temp_file();
    CHECK_EQ(write(o->more[0], "x", 1), 1);
}
static long in_sendfile(struct object *o) { off_t at = 0; return sendfile(o->wait, o->more[0], &at, 1); }

static void a_child(struct object *o) {
    a_pipe(o);
    CHECK_OK(o->id = fork());
    if (o->id == 0) {
        char byte;
        CHECK_OK(close(o->other));
        _exit(read(o->wait, &byte, 1) == 1 ? 0 : 1);
    }
}
static long in_waitpid(struct object *o) { int status; return waitpid(o->id, &status, 0) == o->id ? status : -1; }
static long in_waitid(struct object *o) { siginfo_t info; return waitid(P_PID, (id_t)o->id, &info, WEXITED); }
static void a_pidfd(struct object *o) {
    a_child(o);
    o->more[0] = o->wait;
    CHECK_OK(o->wait = (int)syscall(SYS_pidfd_open, o->id, 0));
}
static long in_waitid_pidfd(struct object *o) { siginfo_t info; return waitid(P_PIDFD, (id_t)o->wait, &info, WEXITED); }

static void a_ring(struct object *o) {
    a_pipe(o);
    CHECK_OK(syscall(SYS_io_setup, 4, &o->ring));
    struct iocb polls = {.aio_fildes = (uint32_t)o->wait, .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN}, *list = &polls;
    CHECK_EQ(syscall(SYS_io_submit, o->ring, 1, &list), 1);
}
static long in_io_getevents(struct object *o) { struct io_event e; return syscall(SYS_io_getevents, o->ring, 1, 1, &e, NULL); }

static long in_io_pgetevents(struct object *o) {
    struct io_event e;
    return syscall(SYS_io_pgetevents, o->ring, 1, 1, &e, NULL, NULL);
}

// A request to poll the pipe has been given to the ring.
static void a_uring(struct object *o) {
    struct io_uring_params params = {0};
    a_pipe(o);
    o->more[0] = o->wait;
    CHECK_OK(o->wait = (int)syscall(SYS_io_uring_setup, 4, &params));
    size_t size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    char *queue = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, o->wait, IORING_OFF_SQ_RING);
    struct io_uring_sqe *requests = mmap(NULL, params.sq_entries * sizeof *requests, PROT_READ | PROT_WRITE, MAP_SHARED, o->wait, IORING_OFF_SQES);
    CHECK(queue != MAP_FAILED && requests != MAP_FAILED);
    requests[0] = (struct io_uring_sqe){.opcode = IORING_OP_POLL_ADD, .fd = o->more[0], .poll32_events = POLLIN};
    ((unsigned *)(queue + params.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    CHECK_OK(munmap(requests, params.sq_entries * sizeof *requests));
    CHECK_EQ(syscall(SYS_io_uring_enter, o->wait, 1, 0, 0, NULL, 0), 1);
    CHECK_OK(munmap(queue, size));
}
static long in_io_uring(struct object *o) { return syscall(SYS_io_uring_enter, o->wait, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0); }

// What is waited for is SIGUSR2.
static volatile sig_atomic_t has_come;
static void it_has_come(int signal) { (void)signal, has_come = 1; }
static void a_signal(struct object *o) {
    none(o);
    struct sigaction action = {.sa_handler = it_has_come};
    CHECK_OK(sigaction(SIGUSR2, &action, NULL));
    has_come = 0;
}
static void keep_back(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_RC(pthread_sigmask(how, &set, NULL), 0);
}
static long in_sigtimedwait(struct object *o) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    keep_back(SIG_BLOCK);
    o->waiter = gettid();
    struct timespec long_enough = {1000, 0};
    return sigtimedwait(&set, NULL, &long_enough);
}
static long in_sigsuspend(struct object *o) {
    sigset_t none;
    sigemptyset(&none);
    keep_back(SIG_BLOCK);
    o->waiter = gettid();
    int result = sigsuspend(&none);
    return errno == EINTR && has_come ? 0 : result;
}
static long in_pause(struct object *o) {
    o->waiter = gettid();
    int result = pause();
    return errno == EINTR && has_come ? 0 : result;
}
static void send_it(struct object *o) { CHECK_OK(tgkill(getpid(), o->waiter, SIGUSR2)); }

static const struct point points[] = {
    {"read pipe", a_pipe, in_read, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read fifo", a_fifo, in_read, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read stream", a_stream, in_read, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read tcp", a_tcp, in_read, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read terminal", a_terminal, in_read, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read eventfd", an_eventfd, in_read8, add_one, 8, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read timerfd", a_timer, in_read8, expire, 8, RESTARTS | CANCELS | QUITS | KEEPS},
    {"read inotify", an_inotify, in_read_event, remove_folder, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"readv pipe", a_pipe, in_readv, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"readv seqpacket", a_seqpacket, in_readv, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"preadv2 pipe", a_pipe, in_preadv2, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"write pipe", full_pipe, in_write, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"write stream", full_stream, in_write, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"write eventfd", full_eventfd, in_write8, take_all, 8, RESTARTS | CANCELS | QUITS | KEEPS},
    {"writev pipe", full_pipe, in_writev, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"pwritev2 pipe", full_pipe, in_pwritev2, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"recvfrom stream", a_stream, in_recv, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"recvfrom peek", a_stream, in_recv_peek, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"recvfrom waitall", a_tcp, in_recv_waitall, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"recvfrom udp", a_udp, in_recvfrom, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"recvmsg datagram", a_datagram, in_recvmsg, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"recvmmsg udp", a_udp, in_recvmmsg, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"sendto stream", full_stream, in_send, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"sendto seqpacket", full_seqpacket, in_sendto, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"sendmsg datagram", full_datagram, in_sendmsg, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"sendmmsg stream", full_stream, in_sendmmsg, drain, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"accept", a_listener, in_accept, connect_to, 0, RESTARTS | CANCELS | QUITS | KEEPS},
    {"accept4", a_listener, in_accept4, connect_to, 0, RESTARTS | CANCELS | QUITS | KEEPS},
    {"connect", a_crowd, in_connect, accept_one, 0, RESTARTS | CANCELS | QUITS | KEEPS},
    {"poll one", a_pipe, in_poll, feed, 1, CANCELS},
    {"poll many", a_udp, in_poll_many, feed, 1, CANCELS},
    {"ppoll", a_stream, in_ppoll, feed, 1, CANCELS},
    {"select", a_pipe, in_select, feed, 1, CANCELS},
    {"pselect6", a_datagram, in_pselect, feed, 1, CANCELS},
    {"epoll_wait", an_epoll, in_epoll_wait, feed, 1, CANCELS | KEEPS},
    {"epoll_pwait", an_epoll, in_epoll_pwait, feed, 1, CANCELS | KEEPS},
    {"epoll_pwait2", an_epoll, in_epoll_pwait2, feed, 1, KEEPS},
    {"nanosleep", none, in_nanosleep, NULL, 0, CANCELS | SLEEPS},
    {"clock_nanosleep", none, in_clock_nanosleep, NULL, 0, CANCELS | SLEEPS},
    {"clock_nanosleep until", none, in_clock_nanosleep_until, NULL, 0, CANCELS | SLEEPS},
    {"msgrcv", a_queue, in_msgrcv, post, 1, CANCELS},
    {"msgsnd", full_queue, in_msgsnd, collect, 0, CANCELS},
    {"semop", a_semaphore, in_semop, raise_it, 0, 0},
    {"semtimedop", a_semaphore, in_semtimedop, raise_it, 0, 0},
    {"mq_timedreceive", a_mq, in_mq_receive, mq_feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"mq_timedreceive until", a_mq, in_mq_timedreceive, mq_feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"mq_timedsend", full_mq, in_mq_send, mq_take, 0, RESTARTS | CANCELS | QUITS | KEEPS},
    {"flock", a_locked_file, in_flock, unlock, 0, RESTARTS},
    {"fcntl lock", a_locked_file, in_setlkw, unlock, 0, RESTARTS | CANCELS},
    {"open", a_fifo_path, in_sys_open, open_it, 0, RESTARTS},
    {"openat", a_fifo_path, in_openat, open_it, 0, RESTARTS | CANCELS},
    {"openat2", a_fifo_path, in_openat2, open_it, 0, RESTARTS},
    {"creat", a_fifo_path, in_creat, read_it, 0, RESTARTS | CANCELS},
    {"openat by open", a_fifo_path, in_open, open_it, 0, RESTARTS | CANCELS},
    {"splice", two_pipes, in_splice, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"tee", two_pipes, in_tee, feed, 1, RESTARTS | CANCELS | QUITS | KEEPS},
    {"vmsplice", full_pipe, in_vmsplice, drain, 1, RESTARTS | CANCELS | KEEPS},
    {"sendfile", full_and_file, in_sendfile, drain, 1, RESTARTS | QUITS | KEEPS},
    {"wait4", a_child, in_waitpid, feed, 0, RESTARTS | CANCELS},
    {"waitid", a_child, in_waitid, feed, 0, RESTARTS | CANCELS},
    {"waitid pidfd", a_pidfd, in_waitid_pidfd, feed, 0, RESTARTS | CANCELS | QUITS | KEEPS},
    {"io_getevents", a_ring, in_io_getevents, feed, 1, 0},
    {"io_pgetevents", a_ring, in_io_pgetevents, feed, 1, 0},
    {"io_uring_enter", a_uring, in_io_uring, feed, 0, KEEPS},
    {"rt_sigtimedwait", a_signal, in_sigtimedwait, send_it, SIGUSR2, CANCELS},
    {"rt_sigsuspend", a_signal, in_sigsuspend, send_it, 0, CANCELS},
    {"pause", a_signal, in_pause, send_it, 0, CANCELS},
};
enum { POINTS = sizeof points / sizeof *points };

// Gives back what is not a descriptor, and the descriptors that are still open.
CHECK_UNUSED static void unmake(const struct point *point, struct object *o) {
    if (point->make == a_queue || point->make == full_queue)
        CHECK_OK(msgctl(o->id, IPC_RMID, NULL));
    if (point->make == a_semaphore)
        CHECK_OK(semctl(o->id, 0, IPC_RMID));
    if (point->make == a_fifo_path) {
        CHECK_OK(unlink(o->path));
        *strrchr(o->path, '/') = '\0';
        CHECK_OK(rmdir(o->path));
    }
    if (o->ring != 0)
        CHECK_OK(syscall(SYS_io_destroy, o->ring));
    int all[] = {o->wait, o->other, o->more[0], o->more[1]};
    for (int i = 0; i < 4; i++)
        if (all[i] >= 0)
            CHECK_OK(close(all[i]));
}

// One thread's call.
struct attempt {
    const struct point *point;
    struct object object;
    pid_t tid;
    int id;
    int returned, error;
    long result;
};

static void *attempts(void *arg) {
    struct attempt *a = arg;
    about_to_block(&a->tid);
    errno = 0;
    a->result = a->point->call(&a->object);
    a->error = errno;
    __atomic_store_n(&a->returned, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

CHECK_UNUSED static int has_returned(struct attempt *a) { return __atomic_load_n(&a->returned, __ATOMIC_SEQ_CST); }

CHECK_UNUSED static void still_waits(struct attempt *a, const char *when) {
    if (has_returned(a))
        CHECK_FAIL("%s: returned %ld (%s) %s", a->point->name, a->result, strerror(a->error), when);
}

// Everything was right so far: the call ends with what it waited for.
CHECK_UNUSED static void finish(struct attempt *a, pthread_t thread) {
    if (a->point->release != NULL)
        a->point->release(&a->object);
    join_thread(thread);
    if (a->result != a->point->want)
        CHECK_FAIL("%s: %ld (%s), want %ld", a->point->name, a->result, strerror(a->error), a->point->want);
}

CHECK_UNUSED static pthread_t begin(struct attempt *a, const struct point *point, long milliseconds) {
    *a = (struct attempt){.point = point};
    point->make(&a->object);
    a->object.milliseconds = milliseconds;
    pthread_t thread = spawn(attempts, a);
    await_blocked(&a->tid);
    return thread;
}

// Calls `rule` for every point that has all of `traits` and none of `not`, or for the one that is named.
#define EACH_POINT(traits_, not_, rule)                                                          \
    for (int i_ = 0; i_ < POINTS; i_++)                                                          \
        if ((points[i_].traits & (traits_)) == (traits_) && (points[i_].traits & (not_)) == 0 && \
            (argc < 2 || strcmp(argv[1], points[i_].name) == 0))                                 \
    rule(&points[i_])
#endif
