// The scheduling rules that the README states: ready threads run first in, first out; waking does not switch; waiters wake in the order of their waits; yields and sleeps of no length switch.
#include "rerun.h"
#include <semaphore.h>

enum { WAITERS = 8 };
static char trace[256];
static sem_t sem, queued;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ends[2], waiting, awake;

static void note(char c) {
    size_t n = strlen(trace);
    CHECK(n + 1 < sizeof trace);
    trace[n] = c;
}

static void expect(const char *wanted) {
    // The kernel's threads run as they like.
    if (preloaded())
        CHECK_STR(trace, wanted);
    memset(trace, 0, sizeof trace);
}

static void *mark(void *arg) {
    note((char)(long)arg);
    return NULL;
}

static void *wait_sem(void *arg) {
    CHECK_OK(sem_wait(&sem));
    return mark(arg);
}

static void *wait_cond(void *arg) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    waiting++;
    while (!awake)
        CHECK_RC(pthread_cond_wait(&cond, &mutex), 0);
    awake--;
    mark(arg);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static void *wait_lock(void *arg) {
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    mark(arg);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    return NULL;
}

static void *wait_pipe(void *arg) {
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    return mark(arg);
}

static pthread_t started[WAITERS];

// Eight threads, each at its wait before the next begins.
static void start(void *(*body)(void *)) {
    for (long i = 0; i < WAITERS; i++) {
        started[i] = spawn(body, (void *)('a' + i));
        sleep_ms(preloaded() ? 0 : 1);
        sched_yield();
    }
}

static void join_all(void) {
    for (int i = 0; i < WAITERS; i++)
        join_thread(started[i]);
}

static void with_switch(void (*give_way)(void), int switches) {
    pthread_t t = spawn(mark, (void *)'x');
    give_way();
    note('.');
    join_thread(t);
    expect(switches ? "x." : ".x");
}

static void no_call(void) {}
static void yield(void) { sched_yield(); }
static void sleep_none(void) { sleep(0); }
static void usleep_none(void) { usleep(0); }
static void nanosleep_none(void) { nanosleep(&(struct timespec){0, 0}, NULL); }
static void post(void) { sem_post(&queued); }
static void signal_cond(void) { pthread_cond_signal(&cond); }
static void lock_unlock(void) { wait_lock((void *)'l'), trace[0] = '\0'; }
static void write_pipe(void) { CHECK_EQ(write(ends[1], "w", 1), 1); }

static int scenario(void) {
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_OK(sem_init(&queued, 0, 0));
    CHECK_OK(pipe(ends));

    // Making a thread does not switch to it, nor does what wakes others or needs nobody.
    with_switch(no_call, 0);
    with_switch(post, 0);
    with_switch(signal_cond, 0);
    with_switch(lock_unlock, 0);
    with_switch(write_pipe, 0);
    CHECK_EQ(read(ends[0], &(char){0}, 1), 1);
    with_switch(yield, 1);
    with_switch(sleep_none, 1);
    with_switch(usleep_none, 1);
    with_switch(nanosleep_none, 1);

    // First ready, first to run.
    for (long i = 0; i < WAITERS; i++)
        started[i] = spawn(mark, (void *)('a' + i));
    note('.');
    join_all();
    expect(".abcdefgh");

    start(wait_sem);
    for (int i = 0; i < WAITERS; i++)
        CHECK_OK(sem_post(&sem));
    note('.');
    join_all();
    expect(".abcdefgh");

    start(wait_cond);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    awake = WAITERS;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    for (int i = 0; i < WAITERS; i++)
        CHECK_RC(pthread_cond_signal(&cond), 0);
    note('.');
    join_all();
    expect(".abcdefgh");

    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    start(wait_lock);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    note('.');
    join_all();
    expect(".abcdefgh");

    start(wait_pipe);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(write(ends[1], "w", 1), 1);
        sched_yield();
    }
    join_all();
    expect("abcdefgh");
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "scenario") == 0)
        return scenario();
    // No slice ends a turn in between, however busy the machine is.
    if (preloaded())
        CHECK_OK(setenv("GREENPATCH_SLICE", "0", 1));
    struct outcome o = rerun("scenario");
    CHECK_STR(o.output, "");
    CHECK_EXIT(o, 0);
    return 0;
}
