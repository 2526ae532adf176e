// pthread_key_create gives PTHREAD_KEYS_MAX keys, then EAGAIN; deleted keys are EINVAL; a destructor that sets its key again runs PTHREAD_DESTRUCTOR_ITERATIONS times.
#include "check.h"
#include <limits.h>

static pthread_key_t keys[PTHREAD_KEYS_MAX + 1], again;
static int runs, deleted_runs;

static void set_again(void *value) {
    runs++;
    CHECK_RC(pthread_setspecific(again, value), 0);
}

static void never(void *value) {
    (void)value;
    deleted_runs++;
}

static void *set(void *arg) {
    CHECK_RC(pthread_setspecific(again, arg), 0);
    return NULL;
}

static void *set_and_delete(void *arg) {
    CHECK_RC(pthread_setspecific(keys[0], arg), 0);
    CHECK_RC(pthread_key_delete(keys[0]), 0);
    return NULL;
}

int main(void) {
    CHECK_RC(pthread_key_create(&again, set_again), 0);
    join_thread(spawn(set, &runs));
    CHECK_EQ(runs, PTHREAD_DESTRUCTOR_ITERATIONS);
    CHECK_RC(pthread_key_delete(again), 0);

    CHECK_RC(pthread_key_create(&keys[0], never), 0);
    join_thread(spawn(set_and_delete, &runs));
    CHECK_EQ(deleted_runs, 0);
    CHECK_RC(pthread_key_delete(keys[0]), EINVAL);
    CHECK_RC(pthread_setspecific(keys[0], &runs), EINVAL);
    CHECK(pthread_getspecific(keys[0]) == NULL);

    int n = 0, rc;
    while ((rc = pthread_key_create(&keys[n], NULL)) == 0)
        n++;
    CHECK_RC(rc, EAGAIN);
    // Libraries may hold a few.
    CHECK(n > PTHREAD_KEYS_MAX - 24);
    for (int i = 0; i < n; i++) {
        CHECK(pthread_getspecific(keys[i]) == NULL);
        CHECK_RC(pthread_setspecific(keys[i], &keys[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        CHECK(pthread_getspecific(keys[i]) == &keys[i]);
        CHECK_RC(pthread_key_delete(keys[i]), 0);
    }
    return 0;
}
