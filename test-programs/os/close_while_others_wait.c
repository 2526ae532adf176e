// Everything from 3 on is closed while threads sleep, wait for a lock and read from standard input: they come back.
#include "os/channel.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *sleep_through(void *arg) {
    (void)arg;
    sleep_ms(30);
    return NULL;
}

static void *wait_for_lock(void *arg) {
    (void)arg;
    CHECK_RC(pthread_mutex_lock(&lock), 0);
    CHECK_RC(pthread_mutex_unlock(&lock), 0);
    return NULL;
}

static void *read_input(void *arg) {
    (void)arg;
    char data[8];
    CHECK_EQ(read(0, data, sizeof data), 5);
    return NULL;
}

int main(void) {
    int end[2];
    open_pipe(end);
    CHECK_OK(dup2(end[0], 0));
    CHECK_OK(dup2(end[1], 1));
    CHECK_RC(pthread_mutex_lock(&lock), 0);
    pthread_t a = spawn(sleep_through, NULL), b = spawn(wait_for_lock, NULL), c = spawn(read_input, NULL);
    sleep_ms(10);
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    CHECK_EQ(write(1, "input", 5), 5);
    CHECK_RC(pthread_mutex_unlock(&lock), 0);
    join_thread(c);
    join_thread(b);
    join_thread(a);
    return 0;
}
