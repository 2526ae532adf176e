// gettid is distinct among living threads, stable across blocking, getpid in main only; pthread_self and pthread_equal agree with what pthread_create gave.
#include "check.h"

enum { THREADS = 300 };
static pthread_barrier_t barrier;
static pid_t process;
static struct {
    pthread_t self;
    pid_t tid;
} seen[THREADS];

static void *note(void *arg) {
    long i = (long)arg;
    seen[i].self = pthread_self();
    seen[i].tid = gettid();
    CHECK_EQ(getpid(), process);
    pthread_barrier_wait(&barrier);
    sleep_ms(1);
    CHECK_EQ(gettid(), seen[i].tid);
    CHECK_EQ(syscall(SYS_gettid), seen[i].tid);
    CHECK(pthread_equal(pthread_self(), seen[i].self));
    return NULL;
}

static int by_tid(const void *a, const void *b) { return *(const pid_t *)a - *(const pid_t *)b; }

int main(void) {
    pthread_t threads[THREADS];
    pid_t tids[THREADS + 1];
    process = getpid();
    CHECK_EQ(gettid(), process);
    CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(note, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
        CHECK(pthread_equal(threads[i], seen[i].self));
        CHECK(!pthread_equal(threads[i], pthread_self()));
        CHECK(seen[i].tid > 0);
        tids[i] = seen[i].tid;
    }
    tids[THREADS] = gettid();
    qsort(tids, THREADS + 1, sizeof *tids, by_tid);
    for (int i = 0; i < THREADS; i++)
        CHECK(tids[i] != tids[i + 1]);
    CHECK_EQ(gettid(), getpid());
    return 0;
}
