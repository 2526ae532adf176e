// While a thread copies from a fast peer without ever waiting, the others get their turns: descriptors, timers, yields.
#include "os/channel.h"

static int stop, ping[2], pong[2];

static void *copy_for_ever(void *arg) {
    (void)arg;
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), end[2];
    CHECK(zero >= 0 && null >= 0);
    open_stream(end);
    char data[4096];
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        CHECK_EQ(read(zero, data, sizeof data), sizeof data);
        CHECK_EQ(write(end[1], data, sizeof data), sizeof data);
        CHECK_EQ(read(end[0], data, sizeof data), sizeof data);
        CHECK_EQ(write(null, data, sizeof data), sizeof data);
    }
    return NULL;
}

static void *answer(void *arg) {
    (void)arg;
    char c;
    while (read(ping[0], &c, 1) == 1)
        CHECK_EQ(write(pong[1], &c, 1), 1);
    return NULL;
}

int main(void) {
    open_pipe(ping);
    open_tcp(pong);
    pthread_t copiers[2] = {spawn(copy_for_ever, NULL), spawn(copy_for_ever, NULL)}, t = spawn(answer, NULL);
    char c;
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(write(ping[1], "x", 1), 1);
        CHECK_EQ(read(pong[0], &c, 1), 1);
        sleep_ms(1);
        sched_yield();
    }
    stop = 1;
    CHECK_OK(close(ping[1]));
    join_thread(t);
    join_thread(copiers[0]);
    join_thread(copiers[1]);
    return 0;
}
