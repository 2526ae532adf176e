// fork from main and from a thread, while others are parked: the child goes on alone, with threads of its own.
#include "os/channel.h"

static int gate[2];

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void *sleep_long(void *arg) {
    sleep_ms((long)(intptr_t)arg);
    return NULL;
}

// What a process with threads does: every kind of waiting.
static void live(void) {
    int end[2];
    char c;
    open_pipe(end);
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later), s = spawn(sleep_long, (void *)3);
    CHECK_EQ(read(end[0], &c, 1), 1);
    join_thread(t);
    join_thread(s);
    t = spawn(do_later, &later);
    CHECK_EQ(poll(&(struct pollfd){.fd = end[0], .events = POLLIN}, 1, -1), 1);
    join_thread(t);
    sleep_ms(1);
    close_both(end);
    CHECK_ONE_KERNEL_THREAD();
}

static void *fork_here(void *arg) {
    (void)arg;
    static __thread int mine = 5;
    mine = 7;
    pthread_t self = pthread_self();
    pid_t parent = getpid(), pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK(pthread_equal(self, pthread_self()));
        CHECK_EQ(mine, 7);
        CHECK_EQ(getppid(), parent);
        CHECK_EQ(gettid(), getpid());
        CHECK_EQ(kernel_threads(), 1);
        live();
        pid_t inner = fork();
        CHECK_OK(inner);
        if (inner == 0) {
            live();
            _exit(4);
        }
        CHECK_EQ(wait_child(inner), 4 << 8);
        _exit(3);
    }
    CHECK_EQ(wait_child(pid), 3 << 8);
    return NULL;
}

int main(void) {
    fork_here(NULL); // no thread yet
    open_pipe(gate);
    pthread_t parked[20], sleeper = spawn(sleep_long, (void *)100);
    for (int i = 0; i < 20; i++)
        parked[i] = spawn(stay_parked, &gate[0]);
    nap();
    fork_here(NULL);
    join_thread(spawn(fork_here, NULL));
    pthread_t forkers[5]; // at the same time
    for (int i = 0; i < 5; i++)
        forkers[i] = spawn(fork_here, NULL);
    for (int i = 0; i < 5; i++)
        join_thread(forkers[i]);
    live();
    CHECK_OK(close(gate[1]));
    for (int i = 0; i < 20; i++)
        join_thread(parked[i]);
    join_thread(sleeper);
    return 0;
}
