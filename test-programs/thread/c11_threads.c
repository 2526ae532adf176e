// C11 threads: thrd_create, join with result, detach, equal, current, exit, yield, sleep, call_once.
#include "check.h"
#include <threads.h>

static once_flag flag = ONCE_FLAG_INIT;
static int calls;
static mtx_t mutex;
static cnd_t cond;
static int detached_done;

static void once(void) {
    thrd_sleep(&(struct timespec){0, 1000000}, NULL);
    calls++;
}

static int work(void *arg) {
    call_once(&flag, once);
    CHECK_EQ(calls, 1);
    thrd_yield();
    return *(int *)arg * 2;
}

static int leave(void *arg) {
    thrd_exit(*(int *)arg);
}

static int detached(void *arg) {
    CHECK_EQ(mtx_lock(&mutex), thrd_success);
    detached_done++;
    CHECK_EQ(cnd_signal(&cond), thrd_success);
    CHECK_EQ(mtx_unlock(&mutex), thrd_success);
    return arg != NULL;
}

static thrd_t self_seen;
static int note_self(void *arg) {
    self_seen = thrd_current();
    return arg != NULL;
}

int main(void) {
    thrd_t threads[50];
    int numbers[50], result;
    for (int i = 0; i < 50; i++) {
        numbers[i] = i - 25;
        CHECK_EQ(thrd_create(&threads[i], work, &numbers[i]), thrd_success);
    }
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(thrd_join(threads[i], &result), thrd_success);
        CHECK_EQ(result, numbers[i] * 2);
    }
    CHECK_EQ(thrd_create(&threads[0], leave, &numbers[3]), thrd_success);
    CHECK_EQ(thrd_join(threads[0], &result), thrd_success);
    CHECK_EQ(result, numbers[3]);
    CHECK_EQ(thrd_create(&threads[0], note_self, NULL), thrd_success);
    thrd_t id = threads[0];
    CHECK_EQ(thrd_join(threads[0], NULL), thrd_success);
    CHECK(thrd_equal(self_seen, id));
    CHECK(!thrd_equal(self_seen, thrd_current()));

    CHECK_EQ(mtx_init(&mutex, mtx_plain), thrd_success);
    CHECK_EQ(cnd_init(&cond), thrd_success);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(thrd_create(&threads[i], detached, NULL), thrd_success);
        CHECK_EQ(thrd_detach(threads[i]), thrd_success);
    }
    CHECK_EQ(mtx_lock(&mutex), thrd_success);
    while (detached_done < 20)
        CHECK_EQ(cnd_wait(&cond, &mutex), thrd_success);
    CHECK_EQ(mtx_unlock(&mutex), thrd_success);

    struct timespec bad = {0, 1000000000}, left;
    CHECK(thrd_sleep(&bad, &left) < -1);
    int64_t before = now_ns(CLOCK_REALTIME);
    CHECK_EQ(thrd_sleep(&(struct timespec){0, 5000000}, NULL), 0);
    CHECK(now_ns(CLOCK_REALTIME) - before >= 4000000);
    return 0;
}
