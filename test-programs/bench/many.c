// Many threads at once: what one costs while it waits, and what others pay for it.
//   many condition|ring|receive|sleep COUNT [own]
// The threads have default attributes; with `own`, stacks of 16 KiB without guards that the program takes from one mapping,
// which is within the limits of every system. Exit status 3: the system does not allow so many threads or files.
#include "bench.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { OWN_STACK = 16 * 1024 };
static long count;
static atomic_long arrived, finished;
static pthread_t *threads;
static sem_t all_arrived, all_finished;

static void arrive(void) {
    if (++arrived == count)
        sem_post(&all_arrived);
}

static void finish(void) {
    if (++finished == count)
        sem_post(&all_finished);
}

// What the kernel has for its own purposes, of the whole machine: stacks of kernel threads, page tables, its objects.
static long kernel_kb(void) {
    FILE *f = fopen("/proc/meminfo", "re");
    CHECK(f != NULL);
    char line[128];
    long sum = 0, value;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "KernelStack: %ld", &value) == 1 || sscanf(line, "PageTables: %ld", &value) == 1 ||
            sscanf(line, "SUnreclaim: %ld", &value) == 1)
            sum += value;
    fclose(f);
    return sum;
}

static void start_all(void *(*body)(void *), int own_stacks) {
    long rss = rss_kb(), kernel = kernel_kb();
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    char *stacks = NULL;
    if (own_stacks) {
        stacks = mmap(NULL, count * OWN_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(stacks != MAP_FAILED);
    }
    CHECK_OK(sem_init(&all_arrived, 0, 0));
    CHECK_OK(sem_init(&all_finished, 0, 0));
    struct stopwatch begin = stopwatch();
    for (long i = 0; i < count; i++) {
        if (own_stacks)
            CHECK_RC(pthread_attr_setstack(&attr, stacks + i * OWN_STACK, OWN_STACK), 0);
        int error = pthread_create(&threads[i], &attr, body, (void *)i);
        if (error != 0) {
            printf("threads=%ld error=%s\n", i, strerrorname_np(error));
            exit(3);
        }
    }
    sem_wait(&all_arrived);
    struct stopwatch used = since(begin);
    printf("threads=%ld create_ns=%.0f create_cpu_ns=%.0f rss_kb=%.2f kernel_kb=%.2f ", count, (double)used.wall / count,
           (double)used.cpu / count, (double)(rss_kb() - rss) / count, (double)(kernel_kb() - kernel) / count);
}

static void join_all(void) {
    struct stopwatch begin = stopwatch();
    for (long i = 0; i < count; i++)
        join_thread(threads[i]);
    struct stopwatch used = since(begin);
    printf("join_ns=%.0f join_cpu_ns=%.0f ", (double)used.wall / count, (double)used.cpu / count);
}

// Two threads exchange posts while all others are parked on a condition variable, which then wakes them at once. Kernel
// threads may be a thousand times slower here, when the kernel's hash of futexes puts the crowd and the two into one list:
// so it ends after a time, too.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int is_open;
static sem_t there, back;
enum { EXCHANGES = 200000, AT_ONCE = 100 };
static const int64_t LONGEST = 200000000; // ns
static int exchange_over;

static void *wait_on_condition(void *arg) {
    pthread_mutex_lock(&mutex);
    arrive();
    while (!is_open)
        pthread_cond_wait(&opened, &mutex);
    pthread_mutex_unlock(&mutex);
    finish();
    return arg;
}

static void *answer_posts(void *arg) {
    for (;;) {
        sem_wait(&there);
        if (exchange_over)
            return arg;
        sem_post(&back);
    }
}

static void condition(int own_stacks) {
    start_all(wait_on_condition, own_stacks);
    CHECK_OK(sem_init(&there, 0, 0));
    CHECK_OK(sem_init(&back, 0, 0));
    pthread_t other = spawn(answer_posts, NULL);
    struct stopwatch begin = stopwatch();
    struct stopwatch used = begin;
    int done = 0;
    for (used.cpu = 0; done < EXCHANGES && used.cpu < LONGEST; used = since(begin))
        for (int i = 0; i < AT_ONCE; i++, done++) {
            sem_post(&there);
            sem_wait(&back);
        }
    exchange_over = 1;
    sem_post(&there);
    join_thread(other);
    printf("switch_ns=%.1f switch_cpu_ns=%.1f ", (double)used.wall / done / 2, (double)used.cpu / done / 2);

    begin = stopwatch();
    pthread_mutex_lock(&mutex);
    is_open = 1;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&mutex);
    sem_wait(&all_finished);
    used = since(begin);
    printf("wake_ns=%.0f wake_cpu_ns=%.0f ", (double)used.wall / count, (double)used.cpu / count);
    join_all();
}

// A post goes round through all threads. On a busy machine every step of kernel threads may wait for other programs, so it
// ends after a time, too: the first thread says which lap is the last.
static sem_t *posted;
static long last_lap;
static struct stopwatch ring_begin;
static const int64_t RING_LONGEST = 1000000000; // ns

static void *pass_on(void *arg) {
    long i = (long)arg, next = i + 1 == count ? 0 : i + 1;
    arrive();
    for (long lap = 0; lap <= last_lap; lap++) {
        sem_wait(&posted[i]);
        if (i == 0 && lap > 0 && lap < last_lap && since(ring_begin).wall > RING_LONGEST)
            last_lap = lap;
        if (i + 1 == count && lap == last_lap)
            break;
        sem_post(&posted[next]);
    }
    finish();
    return arg;
}

static void ring(int own_stacks) {
    CHECK((posted = calloc(count, sizeof *posted)) != NULL);
    for (long i = 0; i < count; i++)
        CHECK_OK(sem_init(&posted[i], 0, 0));
    last_lap = (count < 200000 ? 400000 / count : 2) - 1;
    start_all(pass_on, own_stacks);
    ring_begin = stopwatch();
    sem_post(&posted[0]);
    sem_wait(&all_finished);
    struct stopwatch used = since(ring_begin);
    long steps = (last_lap + 1) * count;
    printf("steps=%ld switch_ns=%.1f switch_cpu_ns=%.1f ", steps, (double)used.wall / steps, (double)used.cpu / steps);
    join_all();
}

// Each thread waits in recv on a socket of its own. A child has the other ends, and sends bytes to all of them that come
// back: so every process needs but one descriptor for each thread.
static int *sockets;
static int listener, go_pipe[2];
enum { BYTES = 3 };

static void *answer_bytes(void *arg) {
    int fd = sockets[(long)arg];
    char byte;
    arrive();
    for (int i = 0; i < BYTES; i++) {
        CHECK_EQ(recv(fd, &byte, 1, 0), 1);
        CHECK_EQ(send(fd, &byte, 1, 0), 1);
    }
    finish();
    return arg;
}

static void ask_all(struct sockaddr_un *address, socklen_t length) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (long i = 0; i < count; i++) {
        CHECK_OK(sockets[i] = socket(AF_UNIX, SOCK_STREAM, 0));
        CHECK_OK(connect(sockets[i], (struct sockaddr *)address, length));
    }
    char byte, got;
    CHECK_EQ(read(go_pipe[0], &byte, 1), 1);
    for (int round = 0; round < BYTES; round++) {
        byte = 'a' + round;
        for (long i = 0; i < count; i++)
            CHECK_EQ(send(sockets[i], &byte, 1, 0), 1);
        for (long i = 0; i < count; i++) {
            CHECK_EQ(recv(sockets[i], &got, 1, 0), 1);
            CHECK_EQ(got, byte);
        }
    }
    _exit(0);
}

static void receive(int own_stacks) {
    long limit = raise_file_limit(count + 100);
    if (limit < count + 100) {
        printf("threads=0 error=EMFILE limit=%ld needed=%ld\n", limit, count + 100);
        exit(3);
    }
    CHECK((sockets = calloc(count, sizeof *sockets)) != NULL);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = sizeof(sa_family_t);
    CHECK_OK(listener = socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_OK(bind(listener, (struct sockaddr *)&address, length)); // the kernel gives it a free name
    CHECK_OK(listen(listener, SOMAXCONN));
    length = sizeof address;
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &length));
    CHECK_OK(pipe(go_pipe));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0)
        ask_all(&address, length);
    for (long i = 0; i < count; i++)
        CHECK_OK(sockets[i] = accept(listener, NULL, NULL));
    start_all(answer_bytes, own_stacks);
    sleep_ms(1); // the last to arrive comes to its recv
    struct stopwatch begin = stopwatch();
    CHECK_EQ(write(go_pipe[1], "x", 1), 1);
    sem_wait(&all_finished);
    struct stopwatch used = since(begin);
    CHECK_EQ(wait_child(child), 0);
    printf("answer_ns=%.0f answer_cpu_ns=%.0f ", (double)used.wall / BYTES / count, (double)used.cpu / BYTES / count);
    join_all();
}

// All sleep three times, each for a random part of a second.
static sem_t go;
static _Atomic int64_t latest, late_sum;
enum { SLEEPS = 3 };

static void *sleep_some(void *arg) {
    uint64_t seed = (uintptr_t)arg * 0x9e3779b97f4a7c15 + 1;
    arrive();
    sem_wait(&go);
    for (int i = 0; i < SLEEPS; i++) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        int64_t until = now_ns(CLOCK_MONOTONIC) + (int64_t)(seed >> 33) % 1000000000;
        struct timespec time = ns_to_timespec(until);
        CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL), 0);
        int64_t late = now_ns(CLOCK_MONOTONIC) - until;
        CHECK(late >= 0);
        late_sum += late;
        int64_t before = latest;
        while (late > before && !atomic_compare_exchange_weak(&latest, &before, late)) {
        }
    }
    finish();
    return arg;
}

static void sleepers(int own_stacks) {
    CHECK_OK(sem_init(&go, 0, 0));
    start_all(sleep_some, own_stacks);
    struct stopwatch begin = stopwatch();
    for (long i = 0; i < count; i++)
        sem_post(&go);
    sem_wait(&all_finished);
    struct stopwatch used = since(begin);
    printf("sleep_cpu_ns=%.0f late_us=%.0f latest_us=%.0f ", (double)used.cpu / SLEEPS / count,
           late_sum / 1e3 / SLEEPS / count, latest / 1e3);
    join_all();
}

static const struct {
    const char *name;
    void (*run)(int own_stacks);
} modes[] = {{"condition", condition}, {"ring", ring}, {"receive", receive}, {"sleep", sleepers}};

int main(int argc, char **argv) {
    CHECK(argc == 3 || argc == 4);
    count = atol(argv[2]);
    CHECK((threads = calloc(count, sizeof *threads)) != NULL);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(argc == 4 && strcmp(argv[3], "own") == 0);
            printf("\n");
            return 0;
        }
    CHECK_FAIL("no mode is named %s", argv[1]);
}
