// C11 threads: what each function says when it fails: thrd_busy, thrd_timedout, thrd_error, thrd_nomem, and -1 or less of thrd_sleep.
#include "check.h"
#include <sys/resource.h>
#include <threads.h>

static const struct timespec past = {0, 0}, bad = {1, 1000000000}, before = {1, -1};
static mtx_t mutex;
static cnd_t cond;
static int ready, done;

static int wait_here(void *arg) {
    (void)arg;
    pause();
    return 0;
}

static int find_it_held(void *arg) {
    int timed = *(int *)arg;
    CHECK_EQ(mtx_trylock(&mutex), thrd_busy);
    if (timed) {
        CHECK_EQ(mtx_timedlock(&mutex, &past), thrd_timedout);
        CHECK_EQ(mtx_timedlock(&mutex, &bad), thrd_error);
        CHECK_EQ(mtx_timedlock(&mutex, &before), thrd_error);
    }
    return 5;
}

static void mutexes(void) {
    int kinds[] = {mtx_plain, mtx_timed, mtx_plain | mtx_recursive, mtx_timed | mtx_recursive};
    CHECK_EQ(cnd_init(&cond), thrd_success);
    for (int i = 0; i < 4; i++) {
        int timed = kinds[i] & mtx_timed, result = 0;
        CHECK_EQ(mtx_init(&mutex, kinds[i]), thrd_success);
        CHECK_EQ(mtx_lock(&mutex), thrd_success);
        thrd_t thread;
        CHECK_EQ(thrd_create(&thread, find_it_held, &timed), thrd_success);
        CHECK_EQ(thrd_join(thread, &result), thrd_success);
        CHECK_EQ(result, 5);
        CHECK_EQ(cnd_timedwait(&cond, &mutex, &past), thrd_timedout);
        CHECK_EQ(cnd_timedwait(&cond, &mutex, &bad), thrd_error);
        CHECK_EQ(mtx_unlock(&mutex), thrd_success);
        if (kinds[i] & mtx_recursive)
            CHECK_EQ(mtx_unlock(&mutex), thrd_error); // not its owner
        mtx_destroy(&mutex);
    }
    cnd_destroy(&cond);
}

static void on_signal(int signal) { (void)signal; }

static int sleep_long(void *arg) {
    struct timespec left = {0, 0}, hour = {3600, 0};
    __atomic_store_n((thrd_t *)arg, thrd_current(), __ATOMIC_SEQ_CST);
    __atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(thrd_sleep(&hour, &left), -1);
    CHECK(left.tv_sec >= 0 && left.tv_sec < 3600);
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void sleeps(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    thrd_t thread, itself;
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_EQ(thrd_sleep(&past, NULL), 0);
    CHECK(thrd_sleep(&bad, NULL) < -1);
    CHECK(thrd_sleep(&before, NULL) < -1);
    CHECK_EQ(thrd_create(&thread, sleep_long, &itself), thrd_success);
    while (!__atomic_load_n(&done, __ATOMIC_SEQ_CST)) {
        if (__atomic_load_n(&ready, __ATOMIC_SEQ_CST))
            CHECK_RC(pthread_kill(itself, SIGUSR1), 0);
        sleep_ms(1);
    }
    CHECK_EQ(thrd_join(thread, NULL), thrd_success);
}

static void lives(void) {
    CHECK_EQ(thrd_join(thrd_current(), NULL), thrd_error);
    thrd_t thread;
    CHECK_EQ(thrd_create(&thread, wait_here, NULL), thrd_success);
    CHECK_EQ(thrd_detach(thread), thrd_success);
    CHECK_EQ(thrd_detach(thread), thrd_error);
    CHECK_EQ(thrd_join(thread, NULL), thrd_error);
}

static void keys(void) {
    tss_t key, all[PTHREAD_KEYS_MAX + 1];
    int n = 0;
    while (n <= PTHREAD_KEYS_MAX && tss_create(&all[n], NULL) == thrd_success)
        n++;
    CHECK(n > 0 && n <= PTHREAD_KEYS_MAX);
    CHECK_EQ(tss_create(&key, NULL), thrd_error);
    while (n-- > 0)
        tss_delete(all[n]);
    CHECK_EQ(tss_set(all[0], &key), thrd_error);
    CHECK(tss_get(all[0]) == NULL);
}

// As an ordinary user, who may have so many threads and no more.
static void too_many(void) {
    pid_t child = fork();
    if (child == 0) {
        struct rlimit one = {1, 1};
        CHECK_OK(setrlimit(RLIMIT_NPROC, &one));
        thrd_t thread;
        if (setresuid(65533, 65533, 65533) == 0) {
            CHECK_EQ(thrd_create(&thread, wait_here, NULL), thrd_error);
        }
        exit(0);
    }
    CHECK_EQ(wait_child(child), 0);
}

int main(void) {
    thrd_t other;
    CHECK_EQ(thrd_create(&other, wait_here, NULL), thrd_success);
    mutexes();
    sleeps();
    lives();
    keys();
    too_many();
    return 0;
}
