// Random data in random pieces through random functions, over every kind of stream, between threads and between
// processes, under signals, time-outs, dups and closes: what arrives is what was sent.
//   random_traffic [seed]
#include "os/channel.h"
#include <sys/select.h>

static uint64_t seed;
static long operations;
static int stop_signals;

static uint32_t draw(uint64_t *state, uint32_t limit) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33) % limit;
}

#define FAIL_WITH_SEED(...)                                            \
    do {                                                               \
        fprintf(stderr, "seed %llu: ", (unsigned long long)seed);      \
        CHECK_FAIL(__VA_ARGS__);                                       \
    } while (0)

struct side {
    int fd, kind;
    size_t total;
    uint64_t state;
};

static char byte_at(size_t at) { return (char)(at * 2654435761u >> 13 ^ seed); }

static size_t random_size(uint64_t *state) {
    switch (draw(state, 4)) {
    case 0:
        return 1 + draw(state, 8);
    case 1:
        return 1 + draw(state, 5000);
    default:
        return 1 + draw(state, draw(state, 20) == 0 ? 200000 : 600);
    }
}

// Now and then the descriptor moves to another number.
static void move_descriptor(struct side *side) {
    int other = draw(&side->state, 2) ? dup(side->fd) : fcntl(side->fd, F_DUPFD, 50 + draw(&side->state, 100));
    CHECK(other >= 0);
    CHECK_OK(close(side->fd));
    side->fd = other;
}

// Only the threads that transfer let the signal in.
static void let_signal(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(how, &set, NULL), 0);
}

static void *send_all(void *arg) {
    struct side *side = arg;
    let_signal(SIG_UNBLOCK);
    int is_socket = kinds[side->kind].traits & IS_SOCKET;
    static __thread char data[200001];
    for (size_t sent = 0; sent < side->total;) {
        size_t len = random_size(&side->state);
        if (len > side->total - sent)
            len = side->total - sent;
        for (size_t i = 0; i < len; i++)
            data[i] = byte_at(sent + i);
        size_t half = len / 2;
        struct iovec parts[2] = {{data, half}, {data + half, len - half}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        struct timeval limit = {.tv_usec = draw(&side->state, 3) * 1000}; // zero: none
        uint32_t form = draw(&side->state, is_socket ? 7 : 4);
        ssize_t n;
        if (is_socket && draw(&side->state, 50) == 0)
            CHECK_OK(setsockopt(side->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
        if (form == 0) {
            n = writev(side->fd, parts, 2);
        } else if (form == 1) {
            struct pollfd p = {.fd = side->fd, .events = POLLOUT};
            poll(&p, 1, (int)draw(&side->state, 3));
            n = write(side->fd, data, len);
        } else if (form == 2) {
            FILE *f = fdopen(dup(side->fd), "w");
            CHECK(f != NULL);
            CHECK_EQ(setvbuf(f, NULL, _IONBF, 0), 0);
            n = fwrite(data, 1, len, f); // what went before an interruption counts
            errno = n == 0 ? EAGAIN : 0;
            n = n == 0 ? -1 : n;
            int error = errno;
            CHECK_EQ(fclose(f), 0);
            errno = error;
        } else if (form == 4) {
            n = send(side->fd, data, len, draw(&side->state, 2) ? MSG_DONTWAIT : 0);
        } else if (form == 5) {
            n = sendmsg(side->fd, &message, 0);
        } else {
            n = write(side->fd, data, len);
        }
        if (n == -1 && errno != EINTR && errno != EAGAIN)
            FAIL_WITH_SEED("%s: send form %u: errno %d", kinds[side->kind].name, form, errno);
        if (n > (ssize_t)len)
            FAIL_WITH_SEED("%s: send form %u: %zd of %zu", kinds[side->kind].name, form, n, len);
        if (n > 0)
            sent += n;
        __atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
        if (draw(&side->state, 100) == 0)
            move_descriptor(side);
    }
    CHECK_OK(close(side->fd));
    return NULL;
}

static void *receive_all(void *arg) {
    struct side *side = arg;
    let_signal(SIG_UNBLOCK);
    int is_socket = kinds[side->kind].traits & IS_SOCKET;
    static __thread char data[200001];
    for (size_t got = 0; got < side->total;) {
        size_t len = random_size(&side->state);
        if (len > side->total - got)
            len = side->total - got; // a waiting form must not wait for what never comes
        size_t half = len / 2;
        struct iovec parts[2] = {{data, half}, {data + half, len - half}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        struct timeval limit = {.tv_usec = draw(&side->state, 3) * 1000};
        uint32_t form = draw(&side->state, is_socket ? 8 : 4);
        ssize_t n;
        if (is_socket && draw(&side->state, 50) == 0)
            CHECK_OK(setsockopt(side->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
        if (form == 0) {
            n = readv(side->fd, parts, 2);
        } else if (form == 1) {
            struct pollfd p = {.fd = side->fd, .events = POLLIN};
            poll(&p, 1, (int)draw(&side->state, 3));
            n = read(side->fd, data, len);
        } else if (form == 2) {
            fd_set in;
            FD_ZERO(&in);
            FD_SET(side->fd, &in);
            select(side->fd + 1, &in, NULL, NULL, limit.tv_usec ? &limit : NULL);
            n = read(side->fd, data, len);
        } else if (form == 4) {
            n = recv(side->fd, data, len, draw(&side->state, 2) ? MSG_DONTWAIT : 0);
        } else if (form == 5) {
            n = recv(side->fd, data, len, MSG_WAITALL);
        } else if (form == 6) {
            n = recvmsg(side->fd, &message, 0);
        } else if (form == 7) {
            n = recv(side->fd, data, len, MSG_PEEK);
            if (n > 0) {
                ssize_t peeked = n;
                n = recv(side->fd, data, peeked, MSG_DONTWAIT);
                if (n != peeked)
                    FAIL_WITH_SEED("%s: %zd peeked, %zd received", kinds[side->kind].name, peeked, n);
            }
        } else {
            n = read(side->fd, data, len);
        }
        if (n == 0 || (n == -1 && errno != EINTR && errno != EAGAIN))
            FAIL_WITH_SEED("%s: receive form %u after %zu of %zu: %zd, errno %d", kinds[side->kind].name, form, got,
                           side->total, n, errno);
        for (ssize_t i = 0; i < n; i++)
            if (data[i] != byte_at(got + i))
                FAIL_WITH_SEED("%s: receive form %u: byte %zu is wrong", kinds[side->kind].name, form, got + i);
        if (n > 0)
            got += n;
        __atomic_add_fetch(&operations, 1, __ATOMIC_RELAXED);
        if (draw(&side->state, 100) == 0)
            move_descriptor(side);
    }
    char c;
    ssize_t n = 0;
    if (kinds[side->kind].traits & HAS_END)
        while ((n = read(side->fd, &c, 1)) == -1 && (errno == EINTR || errno == EAGAIN)) {
        }
    if (n != 0)
        FAIL_WITH_SEED("%s: %zd instead of the end", kinds[side->kind].name, n);
    CHECK_OK(close(side->fd));
    return NULL;
}

static void *send_signals(void *arg) {
    while (!__atomic_load_n(&stop_signals, __ATOMIC_SEQ_CST)) {
        CHECK_OK(kill(getpid(), SIGUSR1));
        sleep_ms(1);
    }
    return arg;
}

// Several pairs at once: in this process, and half of them with a forked child that receives.
static void transfer(uint64_t *state) {
    enum { PAIRS = 6 };
    struct side sides[PAIRS][2];
    pthread_t threads[PAIRS][2];
    pid_t children[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        int kind, end[2];
        do
            kind = draw(state, KINDS);
        while (!(kinds[kind].traits & IS_STREAM) || !(kinds[kind].traits & HAS_END));
        kinds[kind].open(end);
        size_t total = 1 + draw(state, 2000000);
        for (int j = 0; j < 2; j++)
            sides[i][j] = (struct side){end[j], kind, total, *state + i * 2 + j};
        children[i] = 0;
        if (draw(state, 2)) {
            CHECK_OK(children[i] = fork());
            if (children[i] == 0) {
                for (int j = 0; j <= i; j++) // other writers must not stay open here
                    for (int k = 0; k < 2; k++)
                        if ((j < i || k == 1) && sides[j][k].fd >= 0)
                            close(sides[j][k].fd);
                join_thread(spawn(receive_all, &sides[i][0]));
                _exit(0);
            }
            CHECK_OK(close(end[0]));
            sides[i][0].fd = -1;
        }
    }
    for (int i = 0; i < PAIRS; i++)
        for (int j = 0; j < 2; j++)
            if (sides[i][j].fd >= 0)
                threads[i][j] = spawn(j ? send_all : receive_all, &sides[i][j]);
    pthread_t signaller = spawn(send_signals, NULL);
    for (int i = 0; i < PAIRS; i++) {
        join_thread(threads[i][1]);
        if (children[i] == 0)
            join_thread(threads[i][0]);
        else if (wait_child(children[i]) != 0)
            FAIL_WITH_SEED("a child failed");
    }
    __atomic_store_n(&stop_signals, 1, __ATOMIC_SEQ_CST);
    join_thread(signaller);
    stop_signals = 0;
}

int main(int argc, char **argv) {
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)now_ns(CLOCK_REALTIME);
    uint64_t state = seed;
    on_signal(SIGUSR1, count_signal, 0);
    signal(SIGPIPE, SIG_IGN);
    let_signal(SIG_BLOCK);
    long wanted = full_run() ? 1000000 : 20000;
    while (operations < wanted)
        transfer(&state);
    return 0;
}
