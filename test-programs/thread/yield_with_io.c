// A thread that yields in a loop does not keep descriptors, timers and signals from being served.
#include "check.h"

static int stop, ends[2], got_signal;

static void on_signal(int sig) {
    (void)sig;
    got_signal = 1;
}

static void *yielder(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        sched_yield();
    return arg;
}

static void *reader(void *arg) {
    char c = 0;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'i');
    return arg;
}

static void *sleeper(void *arg) {
    sleep_ms(10);
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    pthread_t y[2] = {spawn(yielder, NULL), spawn(yielder, NULL)};
    pthread_t r = spawn(reader, NULL), s = spawn(sleeper, NULL);
    join_thread(s);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_EQ(write(ends[1], "i", 1), 1);
        CHECK_OK(kill(getppid(), SIGUSR1));
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    join_thread(r);
    EVENTUALLY(got_signal);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    join_thread(y[0]);
    join_thread(y[1]);
    return 0;
}
