// A 1 ms interval timer's handler fires while 40 threads pass bytes through pipes, allocate and lock: with SA_RESTART no call shows it, and no byte is lost.
#include "check.h"
#include <sys/time.h>

enum { PAIRS = 20, BYTES = 3000 };
static int pipes[PAIRS][2];
static volatile int ticks;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void on_tick(int sig) {
    (void)sig;
    ticks++;
}

static void *writer(void *arg) {
    int fd = pipes[(long)arg][1];
    for (int i = 0; i < BYTES; i++) {
        unsigned char byte = (unsigned char)(i * 7 + (long)arg);
        CHECK_EQ(write(fd, &byte, 1), 1);
        if (i % 64 == 0)
            sched_yield();
    }
    CHECK_OK(close(fd));
    return NULL;
}

static void *reader(void *arg) {
    int fd = pipes[(long)arg][0], n = 0;
    for (;;) {
        unsigned char *block = malloc(100);
        ssize_t got = read(fd, block, 100);
        CHECK_OK(got);
        for (ssize_t i = 0; i < got; i++, n++)
            CHECK_EQ(block[i], (unsigned char)(n * 7 + (long)arg));
        free(block);
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        total += got;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        if (got == 0)
            break;
    }
    CHECK_EQ(n, BYTES);
    return NULL;
}

int main(void) {
    struct sigaction sa = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    CHECK_OK(sigaction(SIGALRM, &sa, NULL));
    struct itimerval fast = {.it_value = {0, 1000}, .it_interval = {0, 1000}}, off = {0};
    CHECK_OK(setitimer(ITIMER_REAL, &fast, NULL));
    pthread_t t[2 * PAIRS];
    for (long i = 0; i < PAIRS; i++) {
        CHECK_OK(pipe(pipes[i]));
        t[2 * i] = spawn(reader, (void *)i);
        t[2 * i + 1] = spawn(writer, (void *)i);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        join_thread(t[i]);
    EVENTUALLY(ticks >= 10);
    CHECK_OK(setitimer(ITIMER_REAL, &off, NULL));
    CHECK_EQ(total, PAIRS * BYTES);
    return 0;
}
