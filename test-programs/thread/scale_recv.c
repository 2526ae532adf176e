// 500 threads (with GP_FULL=1 100,000, or as many as `ulimit -Hn` allows; natively 2,000) each parked in recv on a socket of its own all get their message, in any order, and end.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

struct receiver {
    int fd;
    struct sockaddr_un address;
    socklen_t length;
    pthread_t thread;
};

static sem_t ready;
static long sum;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *receive(void *arg) {
    struct receiver *me = arg;
    long message;
    CHECK_OK(sem_post(&ready));
    CHECK_EQ(recv(me->fd, &message, sizeof message, 0), sizeof message);
    pthread_mutex_lock(&mutex);
    sum += message;
    pthread_mutex_unlock(&mutex);
    return (void *)message;
}

int main(void) {
    long n = !full_run() ? 500 : preloaded() ? 100000 : 2000;
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    rlim_t wanted = (rlim_t)n + 50;
    if (limit.rlim_max < wanted && setrlimit(RLIMIT_NOFILE, &(struct rlimit){wanted, wanted}) != 0)
        n = (long)(wanted = limit.rlim_max) - 50;
    if (limit.rlim_cur < wanted && limit.rlim_max >= wanted)
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){wanted, limit.rlim_max}));
    struct receiver *all = calloc((size_t)n, sizeof *all);
    CHECK(all != NULL);
    CHECK_OK(sem_init(&ready, 0, 0));
    for (long i = 0; i < n; i++) {
        struct receiver *one = &all[i];
        // The kernel chooses the name.
        struct sockaddr_un any = {.sun_family = AF_UNIX};
        one->length = sizeof one->address;
        CHECK_OK(one->fd = socket(AF_UNIX, SOCK_DGRAM, 0));
        CHECK_OK(bind(one->fd, (struct sockaddr *)&any, sizeof any.sun_family));
        CHECK_OK(getsockname(one->fd, (struct sockaddr *)&one->address, &one->length));
    }
    for (long i = 0; i < n; i++)
        all[i].thread = spawn(receive, &all[i]);
    for (long i = 0; i < n; i++)
        while (sem_wait(&ready) == -1)
            CHECK_EQ(errno, EINTR);
    CHECK_ONE_KERNEL_THREAD();
    int sender;
    CHECK_OK(sender = socket(AF_UNIX, SOCK_DGRAM, 0));
    // From both ends to the middle.
    for (long i = 0; i < n; i++) {
        long at = i % 2 == 0 ? i / 2 : n - 1 - i / 2;
        CHECK_EQ(sendto(sender, &at, sizeof at, 0, (struct sockaddr *)&all[at].address, all[at].length), sizeof at);
    }
    for (long i = 0; i < n; i++)
        CHECK_EQ((long)join_thread(all[i].thread), i);
    CHECK_EQ(sum, n * (n - 1) / 2);
    return 0;
}
