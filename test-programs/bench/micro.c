// The cost of single operations, one after another on one core.
//   micro NAME [MILLISECONDS]
// Prints the time of one operation: wall time, and CPU time of the whole process. A round trip is two hand-overs.
#include "bench.h"
#include <fcntl.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static long rounds; // of the present measurement

// Two threads that wait for each other in turn, over two one-way channels.
struct channel {
    int read, write;
    sem_t posted;
};
static struct channel there, back;

static void *answer_bytes(void *unused) {
    char byte;
    for (long i = 0; i < rounds; i++) {
        CHECK_EQ(read(there.read, &byte, 1), 1);
        CHECK_EQ(write(back.write, &byte, 1), 1);
    }
    return unused;
}

static void exchange_bytes(void) {
    pthread_t other = spawn(answer_bytes, NULL);
    char byte = 'x';
    for (long i = 0; i < rounds; i++) {
        CHECK_EQ(write(there.write, &byte, 1), 1);
        CHECK_EQ(read(back.read, &byte, 1), 1);
    }
    join_thread(other);
}

static void pipe_round_trip(void) {
    int fds[4];
    CHECK_OK(pipe(fds));
    CHECK_OK(pipe(fds + 2));
    there.read = fds[0], there.write = fds[1], back.read = fds[2], back.write = fds[3];
    exchange_bytes();
    for (int i = 0; i < 4; i++)
        close(fds[i]);
}

static void socketpair_round_trip(void) {
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    there.write = back.read = fds[0], there.read = back.write = fds[1];
    exchange_bytes();
    close(fds[0]), close(fds[1]);
}

static void *answer_posts(void *unused) {
    for (long i = 0; i < rounds; i++) {
        sem_wait(&there.posted);
        sem_post(&back.posted);
    }
    return unused;
}

static void semaphore_round_trip(void) {
    CHECK_OK(sem_init(&there.posted, 0, 0));
    CHECK_OK(sem_init(&back.posted, 0, 0));
    pthread_t other = spawn(answer_posts, NULL);
    for (long i = 0; i < rounds; i++) {
        sem_post(&there.posted);
        sem_wait(&back.posted);
    }
    join_thread(other);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed[2] = {PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER};
static int turn;

static void take_turns(int mine) {
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < rounds; i++) {
        while (turn != mine)
            pthread_cond_wait(&changed[mine], &mutex);
        turn = !mine;
        pthread_cond_signal(&changed[!mine]);
    }
    pthread_mutex_unlock(&mutex);
}

static void *take_other_turns(void *unused) {
    take_turns(1);
    return unused;
}

static void condition_round_trip(void) {
    turn = 0;
    pthread_t other = spawn(take_other_turns, NULL);
    take_turns(0);
    join_thread(other);
}

// Each holds one of three mutexes, waits for the next and then lets go of its own, which the other waits for: every
// lock but the first is handed over by the other thread.
static pthread_mutex_t three[3] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static sem_t both_hold;
static long steps[2];

static void follow(int held, long *mine) {
    for (long i = 0; i < rounds; i++) {
        int next = held == 2 ? 0 : held + 1;
        pthread_mutex_lock(&three[next]);
        pthread_mutex_unlock(&three[held]);
        held = next;
        ++*mine;
    }
    pthread_mutex_unlock(&three[held]);
}

static void *follow_other(void *unused) {
    pthread_mutex_lock(&three[1]);
    sem_post(&both_hold);
    follow(1, &steps[1]);
    return unused;
}

static void mutex_round_trip(void) {
    CHECK_OK(sem_init(&both_hold, 0, 0));
    pthread_mutex_lock(&three[0]);
    pthread_t other = spawn(follow_other, NULL);
    sem_wait(&both_hold);
    follow(0, &steps[0]);
    join_thread(other);
}

static void *yield_too(void *unused) {
    for (long i = 0; i < rounds; i++)
        sched_yield();
    return unused;
}

static void yield(void) {
    rounds /= 2;
    pthread_t other = spawn(yield_too, NULL);
    yield_too(NULL);
    join_thread(other);
    rounds *= 2;
}

static void *nothing(void *arg) { return arg; }

static void create_join(void) {
    for (long i = 0; i < rounds; i++)
        join_thread(spawn(nothing, NULL));
}

static void create_join_100(void) {
    pthread_t threads[100];
    for (long i = 0; i < rounds; i += 100) {
        for (int k = 0; k < 100; k++)
            threads[k] = spawn(nothing, NULL);
        for (int k = 0; k < 100; k++)
            join_thread(threads[k]);
    }
}

static void lock_unlock(void) {
    for (long i = 0; i < rounds; i++) {
        pthread_mutex_lock(&mutex);
        pthread_mutex_unlock(&mutex);
    }
}

// A call that finds its data there, and one that the runtime does not know.
static void write_read(int from, int to) {
    char byte = 'x';
    for (long i = 0; i < rounds; i++) {
        CHECK_EQ(write(to, &byte, 1), 1);
        CHECK_EQ(read(from, &byte, 1), 1);
    }
}

static void pipe_calls(void) {
    int fds[2];
    CHECK_OK(pipe(fds));
    write_read(fds[0], fds[1]);
    close(fds[0]), close(fds[1]);
}

static void socket_calls(void) {
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    write_read(fds[0], fds[1]);
    close(fds[0]), close(fds[1]);
}

static void null_calls(void) {
    int fd = open("/dev/null", O_RDWR);
    char byte = 'x';
    for (long i = 0; i < rounds; i++) {
        CHECK_EQ(write(fd, &byte, 1), 1);
        CHECK_EQ(read(fd, &byte, 1), 0);
    }
    close(fd);
}

// By way of libc's own instructions: these functions are not hooked by name.
static void file_calls(void) {
    char path[] = "/tmp/micro-XXXXXX", byte = 'x';
    int fd = mkstemp(path);
    CHECK_OK(fd);
    CHECK_OK(unlink(path));
    for (long i = 0; i < rounds; i++) {
        CHECK_EQ(pwrite(fd, &byte, 1, 0), 1);
        CHECK_EQ(pread(fd, &byte, 1, 0), 1);
    }
    close(fd);
}

static void event_calls(void) {
    int fd = eventfd(0, 0);
    uint64_t one = 1;
    for (long i = 0; i < rounds; i++) {
        CHECK_EQ(write(fd, &one, 8), 8);
        CHECK_EQ(read(fd, &one, 8), 8);
    }
    close(fd);
}

static void other_call(void) {
    for (long i = 0; i < rounds; i++)
        getppid();
}

// How many threads there have been and are, besides the one that measures.
enum company { NONE, ENDED, PARKED };

static const struct {
    const char *name;
    void (*run)(void);
    enum company company;
} measurements[] = {
    {"pipe", pipe_round_trip, NONE},
    {"socketpair", socketpair_round_trip, NONE},
    {"semaphore", semaphore_round_trip, NONE},
    {"condition", condition_round_trip, NONE},
    {"mutex", mutex_round_trip, NONE},
    {"yield", yield, NONE},
    {"create_join", create_join, NONE},
    {"create_join_100", create_join_100, NONE},
    {"lock", lock_unlock, PARKED},
    {"pipe_calls_unarmed", pipe_calls, NONE},
    {"pipe_calls_alone", pipe_calls, ENDED},
    {"pipe_calls_others", pipe_calls, PARKED},
    {"socket_calls_unarmed", socket_calls, NONE},
    {"socket_calls_alone", socket_calls, ENDED},
    {"socket_calls_others", socket_calls, PARKED},
    {"null_calls_alone", null_calls, ENDED},
    {"null_calls_others", null_calls, PARKED},
    {"file_calls_others", file_calls, PARKED},
    {"event_calls_others", event_calls, PARKED},
    {"other_call_unarmed", other_call, NONE},
    {"other_call_alone", other_call, ENDED},
    {"other_call_others", other_call, PARKED},
};

static sem_t never;

static void *park(void *unused) {
    sem_wait(&never);
    return unused;
}

static struct stopwatch timed(void (*run)(void), long count) {
    rounds = count;
    struct stopwatch begin = stopwatch();
    run();
    return since(begin);
}

int main(int argc, char **argv) {
    CHECK(argc == 2 || argc == 3);
    int64_t wanted = (argc == 3 ? atol(argv[2]) : 100) * 1000000;
    CHECK_OK(sem_init(&never, 0, 0));
    if (strcmp(argv[1], "first_thread") == 0) {
        struct stopwatch used = timed(create_join, 1);
        printf("count=1 wall_ns=%ld cpu_ns=%ld\n", used.wall, used.cpu);
        return 0;
    }
    for (size_t i = 0; i < sizeof measurements / sizeof *measurements; i++) {
        if (strcmp(argv[1], measurements[i].name) != 0)
            continue;
        if (measurements[i].company == ENDED)
            join_thread(spawn(nothing, NULL));
        if (measurements[i].company == PARKED) {
            spawn(park, NULL);
            sched_yield();
        }
        // As many as fill the time, counted as CPU time: a busy machine makes it longer, not less exact.
        long count = 100;
        timed(measurements[i].run, count); // the first thread, the first use of everything
        struct stopwatch used = timed(measurements[i].run, count);
        while (used.cpu < wanted / 10) {
            count *= used.cpu < wanted / 100 ? 8 : 2;
            used = timed(measurements[i].run, count);
        }
        double more = (double)wanted / used.cpu;
        if (more > 1) {
            count = (long)(count * more) / 100 * 100;
            used = timed(measurements[i].run, count);
        }
        printf("count=%ld wall_ns=%.2f cpu_ns=%.2f\n", count, (double)used.wall / count, (double)used.cpu / count);
        return 0;
    }
    CHECK_FAIL("no measurement is named %s", argv[1]);
}
