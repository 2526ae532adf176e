// C11 mutexes (plain, timed, recursive), condition variables and thread-specific storage: thrd_success, thrd_busy, thrd_timedout, destructors.
#include "check.h"
#include <threads.h>

static mtx_t mutex;
static cnd_t cond;
static tss_t key;
static int told, destroyed, ready;

static struct timespec in_ms(long ms) { return deadline_in(CLOCK_REALTIME, ms); }

static int try_it(void *arg) {
    CHECK_EQ(mtx_trylock(&mutex), thrd_busy);
    if (arg != NULL) {
        struct timespec soon = in_ms(10);
        CHECK_EQ(mtx_timedlock(&mutex, &soon), thrd_timedout);
        CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    }
    return 0;
}

static int lock_and_count(void *arg) {
    for (int i = 0; i < 200; i++) {
        CHECK_EQ(mtx_lock(&mutex), thrd_success);
        int before = *(int *)arg;
        if (i % 20 == 0)
            thrd_yield();
        *(int *)arg = before + 1;
        CHECK_EQ(mtx_unlock(&mutex), thrd_success);
    }
    return 0;
}

static int wait_told(void *arg) {
    (void)arg;
    CHECK_EQ(mtx_lock(&mutex), thrd_success);
    ready++;
    struct timespec late = in_ms(30000);
    while (!told)
        CHECK_EQ(cnd_timedwait(&cond, &mutex, &late), thrd_success);
    CHECK_EQ(mtx_unlock(&mutex), thrd_success);
    return 0;
}

static void destroy(void *value) { __atomic_add_fetch((int *)value, 1, __ATOMIC_SEQ_CST); }

static int use_key(void *arg) {
    CHECK(tss_get(key) == NULL);
    CHECK_EQ(tss_set(key, arg), thrd_success);
    thrd_yield();
    CHECK(tss_get(key) == arg);
    return 0;
}

static void run(thrd_start_t fn, void *arg, int n) {
    thrd_t threads[20];
    for (int i = 0; i < n; i++)
        CHECK_EQ(thrd_create(&threads[i], fn, arg), thrd_success);
    for (int i = 0; i < n; i++)
        CHECK_EQ(thrd_join(threads[i], NULL), thrd_success);
}

int main(void) {
    int kinds[] = {mtx_plain, mtx_timed, mtx_plain | mtx_recursive, mtx_timed | mtx_recursive};
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(mtx_init(&mutex, kinds[i]), thrd_success);
        CHECK_EQ(mtx_lock(&mutex), thrd_success);
        if (kinds[i] & mtx_recursive) {
            CHECK_EQ(mtx_lock(&mutex), thrd_success);
            CHECK_EQ(mtx_trylock(&mutex), thrd_success);
            CHECK_EQ(mtx_unlock(&mutex), thrd_success);
            CHECK_EQ(mtx_unlock(&mutex), thrd_success);
        }
        run(try_it, kinds[i] & mtx_timed ? &mutex : NULL, 1);
        CHECK_EQ(mtx_unlock(&mutex), thrd_success);
        int counter = 0;
        run(lock_and_count, &counter, 10);
        CHECK_EQ(counter, 2000);
        mtx_destroy(&mutex);
    }
    CHECK_EQ(mtx_init(&mutex, mtx_plain), thrd_success);
    CHECK_EQ(cnd_init(&cond), thrd_success);
    CHECK_EQ(mtx_lock(&mutex), thrd_success);
    struct timespec soon = in_ms(10);
    int rc;
    while ((rc = cnd_timedwait(&cond, &mutex, &soon)) == thrd_success) {
    }
    CHECK_EQ(rc, thrd_timedout);
    CHECK(now_ns(CLOCK_REALTIME) >= soon.tv_sec * 1000000000LL + soon.tv_nsec);
    CHECK_EQ(mtx_unlock(&mutex), thrd_success);
    thrd_t threads[20];
    for (int i = 0; i < 20; i++)
        CHECK_EQ(thrd_create(&threads[i], wait_told, NULL), thrd_success);
    for (;;) {
        CHECK_EQ(mtx_lock(&mutex), thrd_success);
        if (ready == 20)
            break;
        CHECK_EQ(mtx_unlock(&mutex), thrd_success);
        thrd_yield();
    }
    told = 1;
    CHECK_EQ(cnd_broadcast(&cond), thrd_success);
    CHECK_EQ(mtx_unlock(&mutex), thrd_success);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(thrd_join(threads[i], NULL), thrd_success);
    cnd_destroy(&cond);
    mtx_destroy(&mutex);

    CHECK_EQ(tss_create(&key, destroy), thrd_success);
    run(use_key, &destroyed, 20);
    CHECK_EQ(destroyed, 20);
    tss_delete(key);
    return 0;
}
