// The load: one thread that drives many connections over epoll, and checks every answer.
//   load PORT PID echo|http CONNECTIONS
// Opens the connections, each answered once, and prints "ready". Then, for each line "BUSY MILLISECONDS" that it
// reads, that many of them, spread over all, ask again and again, each when it has its answer; and it prints one line:
// the requests, the wall time, the CPU time of the process PID (the server) and its own, and the time of an answer.
#include "protocol.h"
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/prctl.h>

enum { EVENTS = 512, OPENING = 500, PER_ADDRESS = 20000, ECHO_SIZE = 64, READ_EVERY = 16, PATIENCE_MS = 60000 };
// Times of an answer in classes of an eighth of a power of two.
enum { CLASSES = 64 * 8 };

struct connection {
    int fd, connecting;
    size_t unread; // answers
    int64_t asked;
};

static const char *request, *expected;
static char *all_expected; // READ_EVERY times
static size_t request_length, expected_length;
static struct connection *connections;
static int epoll;
static long times[CLASSES], open_now, asking, waits, events_seen;

static int class_of(int64_t ns) {
    if (ns < 8)
        return 0;
    int power = 63 - __builtin_clzll(ns);
    return power * 8 + (ns >> (power - 3) & 7);
}

static double percentile(double part) {
    long all = 0, below = 0;
    for (int i = 0; i < CLASSES; i++)
        all += times[i];
    for (int i = 8 * 3; i < CLASSES; i++)
        if ((below += times[i]) >= all * part)
            return (double)((int64_t)(8 + i % 8) << (i / 8 - 3));
    return 0;
}

static void ask(struct connection *c, int64_t now) {
    c->asked = now;
    CHECK_EQ(write(c->fd, request, request_length), request_length);
    asking++;
}

// Reads all answers that have come, and compares them.
static void read_answers(struct connection *c) {
    static char in[READ_EVERY * CHUNK];
    size_t wanted = c->unread * expected_length;
    ssize_t n;
    do
        n = read(c->fd, in, sizeof in);
    while (n == -1 && errno == EINTR);
    if (n <= 0)
        CHECK_FAIL("the server ended a connection (read gave %zd, errno %d)", n, errno);
    CHECK_EQ(n, wanted);
    CHECK(memcmp(in, all_expected, wanted) == 0);
    c->unread = 0;
}

// An event: what was asked for has come.
static void answered(struct connection *c, int read_now) {
    asking--;
    if (++c->unread == READ_EVERY || read_now)
        read_answers(c);
}

static int wait_for_events(struct epoll_event *events) {
    int n;
    do
        n = epoll_wait(epoll, events, EVENTS, PATIENCE_MS);
    while (n == -1 && errno == EINTR);
    if (n == 0)
        CHECK_FAIL("no answer within %d s", PATIENCE_MS / 1000);
    CHECK(n > 0);
    return n;
}

static void open_one(long index, int port) {
    struct connection *c = &connections[index];
    CHECK_OK(c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    // One address has ports for some 28,000 connections to the same server.
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + index / PER_ADDRESS)};
    if (index >= PER_ADDRESS) {
        CHECK_OK(setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int)));
        CHECK_OK(bind(c->fd, (struct sockaddr *)&address, sizeof address));
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) == -1)
        CHECK_EQ(errno, EINPROGRESS);
    c->connecting = 1;
    struct epoll_event first = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &first));
}

// Few enough at a time for the server's backlog: a SYN that is dropped is sent again only after a second.
static void open_all(long count, int port) {
    static struct epoll_event events[EVENTS];
    long begun = 0;
    while (open_now < count) {
        while (begun < count && begun - open_now < OPENING)
            open_one(begun++, port);
        int n = wait_for_events(events);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].events & (EPOLLERR | EPOLLHUP))
                CHECK_FAIL("connection refused or lost while %ld were open", open_now);
            if (c->connecting && events[i].events & EPOLLOUT) {
                c->connecting = 0;
                struct epoll_event input = {.events = EPOLLIN | EPOLLET, .data.ptr = c};
                CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &input));
                ask(c, 0);
            } else if (events[i].events & EPOLLIN) {
                answered(c, 1);
                open_now++;
            }
        }
    }
}

static long measure(long count, long busy, int64_t duration) {
    static struct epoll_event events[EVENTS];
    long answers = 0;
    int64_t now = now_ns(CLOCK_MONOTONIC), end = now + duration;
    memset(times, 0, sizeof times);
    waits = events_seen = 0;
    for (long i = 0; i < busy; i++)
        ask(&connections[i * count / busy], now);
    while (asking > 0) {
        int n = wait_for_events(events);
        waits++;
        events_seen += n;
        now = now_ns(CLOCK_MONOTONIC);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            answered(c, now >= end);
            times[class_of(now - c->asked)]++;
            answers++;
            if (now < end)
                ask(c, now);
        }
    }
    return answers;
}

int main(int argc, char **argv) {
    CHECK_EQ(argc, 5);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    int port = atoi(argv[1]);
    pid_t pid = atoi(argv[2]);
    long count = atol(argv[4]);
    raise_file_limit(count + 100);
    static char bytes[ECHO_SIZE];
    for (int i = 0; i < ECHO_SIZE; i++)
        bytes[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[i % 36];
    if (protocol_named(argv[3]) == HTTP) {
        request = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
        request_length = strlen(request);
        expected = HTTP_PAGE;
        expected_length = strlen(expected);
    } else {
        request = expected = bytes;
        request_length = expected_length = sizeof bytes;
    }
    CHECK(expected_length <= CHUNK);
    CHECK((all_expected = malloc(READ_EVERY * expected_length)) != NULL);
    for (int i = 0; i < READ_EVERY; i++)
        memcpy(all_expected + i * expected_length, expected, expected_length);
    CHECK((connections = calloc(count, sizeof *connections)) != NULL);
    CHECK_OK(epoll = epoll_create1(EPOLL_CLOEXEC));
    open_all(count, port);
    printf("ready\n");
    fflush(stdout);

    clockid_t server;
    CHECK_RC(clock_getcpuclockid(pid, &server), 0);
    long busy, milliseconds;
    while (scanf("%ld %ld", &busy, &milliseconds) == 2) {
        CHECK(busy > 0 && busy <= count);
        int64_t server_begin = now_ns(server);
        struct stopwatch begin = stopwatch();
        long answers = measure(count, busy, milliseconds * 1000000);
        struct stopwatch used = since(begin);
        printf("requests=%ld wall_ns=%ld server_cpu_ns=%ld load_cpu_ns=%ld p50_ns=%.0f p99_ns=%.0f waits=%ld events=%ld\n",
               answers, used.wall, now_ns(server) - server_begin, used.cpu, percentile(0.5), percentile(0.99), waits,
               events_seen);
        fflush(stdout);
    }
    return 0;
}
