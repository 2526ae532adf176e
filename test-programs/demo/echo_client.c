// Blocking clients of the echo server, one thread per connection.
//   echo_client port connections rounds bytes
// Every connection is open, and answered once, before the talking starts. Every byte that comes back is compared.
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { STACK = 64 * 1024, CHUNK = 4096 };

static int port, rounds;
static long bytes;
static pthread_barrier_t connected, start;
// Few enough at a time for the server's backlog: a SYN that is dropped is sent again only after a second.
static sem_t connecting;

static void send_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n == -1 && errno == EINTR)
            continue;
        CHECK(n > 0);
        data += n, len -= n;
    }
}

static void receive_all(int fd, char *data, size_t len) {
    while (len > 0) {
        ssize_t n = read(fd, data, len);
        if (n == -1 && errno == EINTR)
            continue;
        CHECK(n > 0);
        data += n, len -= n;
    }
}

// Sends and gets back one piece that no other connection and round sends.
static void exchange(int fd, uint32_t seed, size_t len) {
    char out[CHUNK], in[CHUNK];
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525 + 1013904223;
        out[i] = seed >> 24;
    }
    send_all(fd, out, len);
    receive_all(fd, in, len);
    CHECK(memcmp(in, out, len) == 0);
}

static void *talk(void *arg) {
    uint32_t id = (uint32_t)(intptr_t)arg;
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    while (sem_wait(&connecting) == -1)
        CHECK_EQ(errno, EINTR);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_OK(connect(fd, (struct sockaddr *)&addr, sizeof addr));
    exchange(fd, id, 1);
    CHECK_OK(sem_post(&connecting));
    pthread_barrier_wait(&connected);
    pthread_barrier_wait(&start);
    for (int round = 0; round < rounds; round++) {
        long left = bytes;
        for (uint32_t piece = 0; left > 0; piece++) {
            size_t len = left < CHUNK ? left : CHUNK;
            exchange(fd, id * 2654435761u + round * 40503u + piece, len);
            left -= len;
        }
    }
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 5)
        SKIP("a part of the demo: echo_client port connections rounds bytes");
    port = atoi(argv[1]);
    int connections = atoi(argv[2]);
    rounds = atoi(argv[3]);
    bytes = atol(argv[4]);
    struct rlimit files;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    signal(SIGPIPE, SIG_IGN);
    CHECK_RC(pthread_barrier_init(&connected, NULL, connections + 1), 0);
    CHECK_RC(pthread_barrier_init(&start, NULL, connections + 1), 0);
    CHECK_OK(sem_init(&connecting, 0, 1000));

    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, STACK), 0);
    pthread_t *threads = calloc(connections, sizeof *threads);
    CHECK(threads != NULL);

    int64_t begin = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < connections; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, talk, (void *)(intptr_t)i), 0);
    pthread_barrier_wait(&connected);
    int64_t all_connected = now_ns(CLOCK_MONOTONIC);
    int peak_threads = kernel_threads();
    int64_t talking = now_ns(CLOCK_MONOTONIC);
    pthread_barrier_wait(&start);
    for (int i = 0; i < connections; i++)
        join_thread(threads[i]);
    int64_t end = now_ns(CLOCK_MONOTONIC);

    struct rusage use;
    CHECK_OK(getrusage(RUSAGE_SELF, &use));
    printf("connections=%d rounds=%d bytes=%ld kernel_threads=%d peak_rss_kb=%ld context_switches=%ld cpu_s=%.2f "
           "connect_s=%.2f talk_s=%.2f wall_s=%.2f\n",
           connections, rounds, connections * (1 + rounds * bytes), peak_threads, use.ru_maxrss,
           use.ru_nvcsw + use.ru_nivcsw,
           use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6,
           (all_connected - begin) / 1e9, (end - talking) / 1e9, (end - begin) / 1e9);
    return 0;
}
