// Many threads at once: what one costs while it waits, and what others pay for it.
//   many condition|ring|receive|sleep COUNT [STACK]
// STACK: the stack size in bytes; without it, what pthread_create gives by default.
#include "bench.h"
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>

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

static void start_all(void *(*body)(void *), long stack) {
    long rss = rss_kb(), kernel = kernel_kb();
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    if (stack > 0)
        CHECK_RC(pthread_attr_setstacksize(&attr, stack), 0);
    CHECK_OK(sem_init(&all_arrived, 0, 0));
    CHECK_OK(sem_init(&all_finished, 0, 0));
    struct stopwatch begin = stopwatch();
    for (long i = 0; i < count; i++) {
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

// Two threads exchange posts while all others are parked on a condition variable, which then wakes them at once.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static int is_open;
static sem_t there, back;
enum { EXCHANGES = 200000 };

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
    for (int i = 0; i < EXCHANGES; i++) {
        sem_wait(&there);
        sem_post(&back);
    }
    return arg;
}

static void condition(long stack) {
    start_all(wait_on_condition, stack);
    CHECK_OK(sem_init(&there, 0, 0));
    CHECK_OK(sem_init(&back, 0, 0));
    pthread_t other = spawn(answer_posts, NULL);
    struct stopwatch begin = stopwatch();
    for (int i = 0; i < EXCHANGES; i++) {
        sem_post(&there);
        sem_wait(&back);
    }
    struct stopwatch used = since(begin);
    join_thread(other);
    printf("switch_ns=%.1f switch_cpu_ns=%.1f ", (double)used.wall / EXCHANGES / 2, (double)used.cpu / EXCHANGES / 2);

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

// A post goes round through all threads.
static sem_t *posted;
static long laps;

static void *pass_on(void *arg) {
    long i = (long)arg, next = i + 1 == count ? 0 : i + 1;
    arrive();
    for (long lap = 0; lap < laps; lap++) {
        sem_wait(&posted[i]);
        if (i + 1 == count && lap + 1 == laps)
            break;
        sem_post(&posted[next]);
    }
    finish();
    return arg;
}

static void ring(long stack) {
    CHECK((posted = calloc(count, sizeof *posted)) != NULL);
    for (long i = 0; i < count; i++)
        CHECK_OK(sem_init(&posted[i], 0, 0));
    laps = count < 200000 ? 400000 / count : 2;
    start_all(pass_on, stack);
    struct stopwatch begin = stopwatch();
    sem_post(&posted[0]);
    sem_wait(&all_finished);
    struct stopwatch used = since(begin);
    printf("switch_ns=%.1f switch_cpu_ns=%.1f ", (double)used.wall / laps / count, (double)used.cpu / laps / count);
    join_all();
}

// Each thread waits in recv on a socket of its own; bytes to all of them come back, twice.
static int (*pairs)[2];
enum { BYTES = 3 };

static void *answer_bytes(void *arg) {
    int fd = pairs[(long)arg][1];
    char byte;
    arrive();
    for (int i = 0; i < BYTES; i++) {
        CHECK_EQ(recv(fd, &byte, 1, 0), 1);
        CHECK_EQ(send(fd, &byte, 1, 0), 1);
    }
    finish();
    return arg;
}

static void receive(long stack) {
    long limit = raise_file_limit(2 * count + 100);
    if (limit < 2 * count + 100) {
        printf("threads=0 error=EMFILE limit=%ld needed=%ld\n", limit, 2 * count + 100);
        exit(3);
    }
    CHECK((pairs = calloc(count, sizeof *pairs)) != NULL);
    for (long i = 0; i < count; i++)
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
    start_all(answer_bytes, stack);
    sleep_ms(1); // the last to arrive comes to its recv
    struct stopwatch begin = stopwatch();
    for (int round = 0; round < BYTES; round++) {
        char byte = 'a' + round, got;
        for (long i = 0; i < count; i++)
            CHECK_EQ(send(pairs[i][0], &byte, 1, 0), 1);
        for (long i = 0; i < count; i++) {
            CHECK_EQ(recv(pairs[i][0], &got, 1, 0), 1);
            CHECK_EQ(got, byte);
        }
    }
    struct stopwatch used = since(begin);
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

static void sleepers(long stack) {
    CHECK_OK(sem_init(&go, 0, 0));
    start_all(sleep_some, stack);
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
    void (*run)(long stack);
} modes[] = {{"condition", condition}, {"ring", ring}, {"receive", receive}, {"sleep", sleepers}};

int main(int argc, char **argv) {
    CHECK(argc == 3 || argc == 4);
    count = atol(argv[2]);
    CHECK((threads = calloc(count, sizeof *threads)) != NULL);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(argc == 4 ? atol(argv[3]) : 0);
            printf("\n");
            return 0;
        }
    CHECK_FAIL("no mode is named %s", argv[1]);
}
