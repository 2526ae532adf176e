// pthread_atfork handlers run in their order, in the thread that forks, and may lock and do I/O.
#include "os/channel.h"

static char order[16];
static int at;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int forking;

static void note(char c) {
    CHECK(forking);
    order[at++] = c;
    int fd = open("/dev/null", O_WRONLY);
    CHECK_EQ(write(fd, &c, 1), 1);
    CHECK_OK(close(fd));
}

static void prepare_a(void) { note('a'); }
static void prepare_b(void) {
    note('b');
    CHECK_RC(pthread_mutex_lock(&lock), 0);
}
static void parent_a(void) { note('A'); }
static void parent_b(void) {
    CHECK_RC(pthread_mutex_unlock(&lock), 0);
    note('B');
}
static void child_a(void) { note('1'); }
static void child_b(void) {
    CHECK_RC(pthread_mutex_unlock(&lock), 0);
    note('2');
}

static int stop;
static void *hold_now_and_then(void *arg) {
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        CHECK_RC(pthread_mutex_lock(&lock), 0);
        sched_yield();
        CHECK_RC(pthread_mutex_unlock(&lock), 0);
        sched_yield();
    }
    return NULL;
}

static void *fork_here(void *arg) {
    (void)arg;
    forking = 1;
    at = 0;
    memset(order, 0, sizeof order);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_STR(order, "ba12");
        CHECK_RC(pthread_mutex_lock(&lock), 0); // the parent's holder is not here
        _exit(0);
    }
    CHECK_STR(order, "baAB");
    CHECK_EQ(wait_child(pid), 0);
    forking = 0;
    return NULL;
}

int main(void) {
    CHECK_RC(pthread_atfork(prepare_a, parent_a, child_a), 0);
    CHECK_RC(pthread_atfork(prepare_b, parent_b, child_b), 0);
    pthread_t holder = spawn(hold_now_and_then, NULL);
    for (int i = 0; i < 10; i++) {
        fork_here(NULL);
        join_thread(spawn(fork_here, NULL));
    }
    stop = 1;
    join_thread(holder);
    return 0;
}
