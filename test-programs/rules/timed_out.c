// Every call that can wait for a limited time fails, or says that there was nothing, when it is over, and not before; the others go on meanwhile.
// shows timeout: read write accept connect sendto sendmsg recvfrom recvmsg recvmmsg
// shows timeout: poll ppoll select pselect6 epoll_wait epoll_pwait epoll_pwait2
// shows timeout: semtimedop mq_timedsend mq_timedreceive io_getevents io_pgetevents rt_sigtimedwait
#include "rules/points.h"

enum { LENGTH = 25 };
static const struct timespec length_ = {0, LENGTH * 1000000L};
static const struct timeval tv_length = {0, LENGTH * 1000L};

static void limited(struct object *o) {
    CHECK_OK(setsockopt(o->wait, SOL_SOCKET, SO_RCVTIMEO, &tv_length, sizeof tv_length));
    CHECK_OK(setsockopt(o->wait, SOL_SOCKET, SO_SNDTIMEO, &tv_length, sizeof tv_length));
}
static void t_stream(struct object *o) { a_stream(o), limited(o); }
static void t_full(struct object *o) { full_stream(o), limited(o); }
static void t_listener(struct object *o) { a_listener(o), limited(o); }
static void t_crowd(struct object *o) { a_crowd(o), limited(o); }
static struct timespec until(clockid_t clock) {
    struct timespec t;
    CHECK_OK(clock_gettime(clock, &t));
    long ns = t.tv_nsec + length_.tv_nsec;
    return (struct timespec){t.tv_sec + ns / 1000000000, ns % 1000000000};
}
static long t_poll(struct object *o) { struct pollfd p = {.fd = o->wait, .events = POLLIN}; return poll(&p, 1, LENGTH); }
static long t_ppoll(struct object *o) { struct pollfd p = {.fd = o->wait, .events = POLLIN}; return ppoll(&p, 1, &length_, NULL); }
static long t_select(struct object *o) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(o->wait, &set);
    struct timeval left = tv_length;
    long result = select(o->wait + 1, &set, NULL, NULL, &left);
    CHECK(!FD_ISSET(o->wait, &set) && left.tv_sec == 0 && left.tv_usec == 0);
    return result;
}
static long t_pselect(struct object *o) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(o->wait, &set);
    return pselect(o->wait + 1, NULL, NULL, &set, &length_, NULL);
}
static long t_epoll_wait(struct object *o) { struct epoll_event e; return epoll_wait(o->wait, &e, 1, LENGTH); }
static long t_epoll_pwait(struct object *o) { struct epoll_event e; sigset_t s; sigemptyset(&s); return epoll_pwait(o->wait, &e, 1, LENGTH, &s); }
static long t_epoll_pwait2(struct object *o) { struct epoll_event e; return syscall(SYS_epoll_pwait2, o->wait, &e, 1, &length_, NULL, 8); }
static long t_recvmmsg(struct object *o) {
    // The timeout is looked at after each message only.
    VECTOR;
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
    struct timespec none = {0, 0};
    sleep_ms(LENGTH);
    feed(o);
    return recvmmsg(o->wait, messages, 2, 0, &none) - 1;
}
static long t_semtimedop(struct object *o) { struct sembuf b = {0, -1, 0}; return semtimedop(o->id, &b, 1, &length_); }
static long t_mq_receive(struct object *o) { char m[8]; struct timespec t = until(CLOCK_REALTIME); return mq_timedreceive(o->wait, m, 8, NULL, &t); }
static long t_mq_send(struct object *o) { struct timespec t = until(CLOCK_REALTIME); return mq_timedsend(o->wait, "x", 1, 0, &t); }
static long t_io_getevents(struct object *o) { struct io_event e; struct timespec t = length_; return syscall(SYS_io_getevents, o->ring, 1, 1, &e, &t); }
static long t_io_pgetevents(struct object *o) { struct io_event e; struct timespec t = length_; return syscall(SYS_io_pgetevents, o->ring, 1, 1, &e, &t, NULL); }
static long t_sigtimedwait(struct object *o) { (void)o; sigset_t s; sigemptyset(&s); sigaddset(&s, SIGUSR1); return sigtimedwait(&s, NULL, &length_); }

static const struct { struct point point; int error; } timed[] = {
    {{"read", t_stream, in_read, NULL, -1, 0}, EAGAIN}, {{"readv", t_stream, in_readv, NULL, -1, 0}, EAGAIN},
    {{"recv", t_stream, in_recv, NULL, -1, 0}, EAGAIN}, {{"recv peek", t_stream, in_recv_peek, NULL, -1, 0}, EAGAIN},
    {{"recv waitall", t_stream, in_recv_waitall, NULL, -1, 0}, EAGAIN}, {{"recvmsg", t_stream, in_recvmsg, NULL, -1, 0}, EAGAIN},
    {{"recvmmsg at once", t_stream, in_recvmmsg, NULL, -1, 0}, EAGAIN}, {{"recvmmsg", a_udp, t_recvmmsg, NULL, 0, 0}, 0},
    {{"write", t_full, in_write, NULL, -1, 0}, EAGAIN}, {{"writev", t_full, in_writev, NULL, -1, 0}, EAGAIN},
    {{"send", t_full, in_send, NULL, -1, 0}, EAGAIN}, {{"sendmsg", t_full, in_sendmsg, NULL, -1, 0}, EAGAIN},
    {{"sendmmsg", t_full, in_sendmmsg, NULL, -1, 0}, EAGAIN}, {{"accept", t_listener, in_accept, NULL, -1, 0}, EAGAIN},
    {{"connect", t_crowd, in_connect, NULL, -1, 0}, EAGAIN}, {{"poll", a_pipe, t_poll, NULL, 0, 0}, 0},
    {{"ppoll", a_tcp, t_ppoll, NULL, 0, 0}, 0}, {{"select", a_pipe, t_select, NULL, 0, 0}, 0},
    {{"pselect6", a_udp, t_pselect, NULL, 0, 0}, 0}, {{"epoll_wait", an_epoll, t_epoll_wait, NULL, 0, 0}, 0},
    {{"epoll_pwait", an_epoll, t_epoll_pwait, NULL, 0, 0}, 0}, {{"epoll_pwait2", an_epoll, t_epoll_pwait2, NULL, 0, 0}, 0},
    {{"semtimedop", a_semaphore, t_semtimedop, NULL, -1, 0}, EAGAIN}, {{"mq_timedreceive", a_mq, t_mq_receive, NULL, -1, 0}, ETIMEDOUT},
    {{"mq_timedsend", full_mq, t_mq_send, NULL, -1, 0}, ETIMEDOUT}, {{"io_getevents", a_ring, t_io_getevents, NULL, 0, 0}, 0},
    {{"io_pgetevents", a_ring, t_io_pgetevents, NULL, 0, 0}, 0}, {{"rt_sigtimedwait", none, t_sigtimedwait, NULL, -1, 0}, EAGAIN},
};
enum { TIMED = sizeof timed / sizeof *timed };

static int64_t took[TIMED];

static void *measured(void *arg) {
    struct attempt *a = arg;
    int64_t begin = (int64_t)now_ns(CLOCK_MONOTONIC);
    attempts(a);
    took[a->id] = (int64_t)now_ns(CLOCK_MONOTONIC) - begin;
    return NULL;
}

int main(void) {
    static struct attempt all[TIMED];
    pthread_t threads[TIMED];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    for (int i = 0; i < TIMED; i++) {
        all[i] = (struct attempt){.point = &timed[i].point, .id = i};
        timed[i].point.make(&all[i].object);
    }
    for (int i = 0; i < TIMED; i++)
        threads[i] = spawn(measured, &all[i]);
    for (int i = 0; i < TIMED; i++) {
        join_thread(threads[i]);
        if (all[i].result != timed[i].point.want || (all[i].result == -1 && all[i].error != timed[i].error))
            CHECK_FAIL("%s: %ld (%s)", timed[i].point.name, all[i].result, strerror(all[i].error));
        // Timeouts of sockets are counted in the kernel's ticks, of 10 ms at most.
        if (took[i] < (LENGTH - 10) * 1000000LL)
            CHECK_FAIL("%s took %lld ns only", timed[i].point.name, (long long)took[i]);
        unmake(&timed[i].point, &all[i].object);
    }
    return 0;
}
