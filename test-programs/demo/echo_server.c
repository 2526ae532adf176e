// A plain blocking echo server, one thread per connection.
//   echo_server connections
// Prints its port, serves until that many connections have ended (0: no limit) or SIGTERM comes, and prints one line
// about itself.
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { STACK = 64 * 1024, CHUNK = 4096 };

static int listener;
static volatile sig_atomic_t terminated;
static atomic_long bytes_echoed, served;
static sem_t something_ended; // a connection, or all of it

static void on_sigterm(int sig) {
    (void)sig;
    terminated = 1;
    shutdown(listener, SHUT_RD); // accept returns, whether it was entered before or after this
    sem_post(&something_ended);
}

static void *serve(void *arg) {
    int fd = (int)(intptr_t)arg;
    char chunk[CHUNK];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == -1 && errno == EINTR)
            continue;
        CHECK(n >= 0);
        if (n == 0)
            break;
        for (ssize_t done = 0; done < n;) {
            ssize_t put = write(fd, chunk + done, n - done);
            if (put == -1 && errno == EINTR)
                continue;
            CHECK(put > 0);
            done += put;
        }
        bytes_echoed += n;
    }
    close(fd);
    served++;
    sem_post(&something_ended);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2)
        SKIP("a part of the demo: echo_server connections");
    long limit = atol(argv[1]);
    CHECK_OK(sem_init(&something_ended, 0, 0));
    struct rlimit files;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    signal(SIGPIPE, SIG_IGN);

    CHECK_OK(listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    CHECK_OK(bind(listener, (struct sockaddr *)&addr, len));
    CHECK_OK(listen(listener, SOMAXCONN));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&addr, &len));
    CHECK_OK(sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_sigterm}, NULL));
    printf("%d\n", ntohs(addr.sin_port));
    fflush(stdout);

    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, STACK), 0);
    CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);

    long accepted = 0, next_sample = 1;
    int peak_threads = kernel_threads();
    while (!terminated && (limit == 0 || accepted < limit)) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd == -1 && (terminated || errno == EINTR || errno == ECONNABORTED))
            continue;
        CHECK(fd >= 0);
        pthread_t t;
        CHECK_RC(pthread_create(&t, &attr, serve, (void *)(intptr_t)fd), 0);
        // The clients hold all their connections together, so the count at the last one is the peak.
        if (++accepted == limit || accepted == next_sample) {
            int threads = kernel_threads();
            if (threads > peak_threads)
                peak_threads = threads;
            if (accepted == next_sample)
                next_sample = next_sample * 3 / 2 + 1;
        }
    }
    while (!terminated && served < limit)
        sem_wait(&something_ended);

    struct rusage use;
    CHECK_OK(getrusage(RUSAGE_SELF, &use));
    printf("connections=%ld bytes=%ld kernel_threads=%d peak_rss_kb=%ld context_switches=%ld cpu_s=%.2f\n", (long)served,
           (long)bytes_echoed, peak_threads, use.ru_maxrss, use.ru_nvcsw + use.ru_nivcsw,
           use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    return 0;
}
