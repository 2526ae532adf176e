// Threads that wait for each other for ever are reported once (or the process aborts, or nothing is said), with places and owners; not when a handler, a descriptor, a time-out or another process may still wake somebody.
#include "check.h"
#include <poll.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, two = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static sem_t gate;
static const char *hope;
static int input, other_process;

static void on_signal(int sig) {
    (void)sig;
    sem_post(&gate);
}

__attribute__((noinline)) static void *lock_one_first(void *arg) {
    pthread_mutex_lock(&one);
    pthread_barrier_wait(&both);
    pthread_mutex_lock(&two);
    pthread_mutex_unlock(&two);
    pthread_mutex_unlock(&one);
    return arg;
}

__attribute__((noinline)) static void *lock_two_first(void *arg) {
    pthread_mutex_lock(&two);
    pthread_barrier_wait(&both);
    char c;
    if (strcmp(hope, "handler") == 0) {
        while (sem_wait(&gate) == -1) {
        }
    } else if (strcmp(hope, "descriptor") == 0) {
        CHECK_EQ(read(input, &c, 1), 1);
    } else if (strcmp(hope, "process") == 0) {
        sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, other_process, 0);
        CHECK(shared != MAP_FAILED);
        CHECK_OK(sem_wait(shared));
    } else if (strcmp(hope, "time") == 0) {
        struct timespec soon = deadline_in(CLOCK_REALTIME, 150);
        CHECK_RC(pthread_mutex_timedlock(&one, &soon), ETIMEDOUT);
    } else {
        pthread_mutex_lock(&one);
        pthread_mutex_unlock(&one);
    }
    pthread_mutex_unlock(&two);
    return arg;
}

static int child(void) {
    CHECK_RC(pthread_barrier_init(&both, NULL, 2), 0);
    CHECK_OK(sem_init(&gate, 0, 0));
    if (strcmp(hope, "handler") == 0) {
        struct sigaction sa = {.sa_handler = on_signal};
        CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    }
    pthread_t a = spawn(lock_one_first, NULL), b = spawn(lock_two_first, NULL);
    CHECK_RC(pthread_setname_np(a, "alice"), 0);
    CHECK_EQ(write(1, "ready\n", 6), 6);
    join_thread(a);
    join_thread(b);
    return 42;
}

struct run {
    pid_t pid;
    int out, in;
    char text[8192];
    size_t length;
};

// Starts this program again with what it hopes for; its output comes from `out` and its `input` is `in`.
static void start(struct run *r, const char *kind, const char *setting, int memory) {
    int out[2], in[2];
    memset(r, 0, sizeof *r);
    CHECK_OK(pipe2(out, O_CLOEXEC));
    CHECK_OK(pipe2(in, O_CLOEXEC));
    CHECK_OK(r->pid = fork());
    if (r->pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(out[1], 1);
        dup2(out[1], 2);
        dup2(in[0], 8);
        dup2(memory, 9);
        setenv("GREENPATCH_ON_DEADLOCK", setting, 1);
        execl("/proc/self/exe", "self", kind, (char *)NULL);
        _exit(99);
    }
    close(out[1]);
    close(in[0]);
    r->out = out[0];
    r->in = in[1];
}

// Reads until `text` has come (or, if NULL, the end), for at most `ms`. False if time was up.
static int read_until(struct run *r, const char *text, int ms) {
    struct timespec end = deadline_in(CLOCK_MONOTONIC, ms);
    while (text == NULL || strstr(r->text, text) == NULL) {
        int64_t left = (int64_t)end.tv_sec * 1000 + end.tv_nsec / 1000000 - now_ns(CLOCK_MONOTONIC) / 1000000;
        struct pollfd p = {.fd = r->out, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return 0;
        ssize_t got = read(r->out, r->text + r->length, sizeof r->text - 1 - r->length);
        if (got == 0)
            return text == NULL;
        CHECK_OK(got);
        r->length += (size_t)got;
    }
    return 1;
}

static int end(struct run *r) {
    int status = wait_child(r->pid);
    close(r->out);
    close(r->in);
    return status;
}

static void expect_contains(struct run *r, const char *text) {
    if (strstr(r->text, text) == NULL)
        CHECK_FAIL("not in the report: %s\n%s", text, r->text);
}

static void expect_report(struct run *r) {
    expect_contains(r, "greenpatch: deadlock: all 3 threads wait for each other\n");
    expect_contains(r, "main) waits for the end of thread 2 (tid ");
    expect_contains(r, "\"alice\") waits for the mutex 0x");
    expect_contains(r, "held by thread 3 (tid ");
    expect_contains(r, "held by thread 2 (tid ");
    expect_contains(r, " at lock_one_first+0x");
    expect_contains(r, " at lock_two_first+0x");
    char *again = strstr(r->text, "deadlock:");
    CHECK(strstr(again + 1, "deadlock:") == NULL);
}

static void hopeless(const char *setting) {
    struct run r;
    start(&r, "nothing", setting, 0);
    CHECK(read_until(&r, "ready\n", 20000));
    if (preloaded() && strcmp(setting, "abort") == 0) {
        CHECK(read_until(&r, NULL, 20000));
        expect_report(&r);
        int status = end(&r);
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), SIGABRT);
        return;
    }
    if (preloaded() && strcmp(setting, "report") == 0)
        CHECK(read_until(&r, "held by thread 2", 20000));
    // Nothing more is said, and the process is still there.
    CHECK(!read_until(&r, "never said", 100));
    if (preloaded() && strcmp(setting, "report") == 0)
        expect_report(&r);
    else
        CHECK_STR(r.text, "ready\n");
    CHECK_OK(kill(r.pid, SIGKILL));
    CHECK_EQ(end(&r), SIGKILL);
}

static void hopeful(const char *kind) {
    struct run r;
    int memory = memfd_create("shared", MFD_CLOEXEC);
    CHECK_OK(memory);
    CHECK_OK(ftruncate(memory, 4096));
    sem_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(shared != MAP_FAILED);
    CHECK_OK(sem_init(shared, 1, 0));
    start(&r, kind, "abort", memory);
    CHECK(read_until(&r, "ready\n", 20000));
    read_until(&r, "never said", 50);
    if (strcmp(kind, "handler") == 0)
        CHECK_OK(kill(r.pid, SIGUSR1));
    else if (strcmp(kind, "descriptor") == 0)
        CHECK_EQ(write(r.in, "x", 1), 1);
    else if (strcmp(kind, "process") == 0)
        CHECK_OK(sem_post(shared));
    CHECK(read_until(&r, NULL, 20000));
    CHECK_STR(r.text, "ready\n");
    CHECK_EQ(end(&r), 42 << 8);
    CHECK_OK(munmap(shared, 4096));
    CHECK_OK(close(memory));
}

int main(int argc, char **argv) {
    if (argc > 1) {
        hope = argv[1];
        input = 8;
        other_process = 9;
        return child();
    }
    hopeless("report");
    hopeless("abort");
    hopeless("ignore");
    hopeful("handler");
    hopeful("descriptor");
    hopeful("process");
    hopeful("time");
    return 0;
}
