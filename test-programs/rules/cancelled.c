// Every call that waits and is a cancellation point ends its thread when that is cancelled, takes nothing, and leaves the
// rest as it was; those that are none go on.
#include "rules/points.h"

static int cleaned;
static void clean(void *arg) { (void)arg, cleaned++; }

static void *waits(void *arg) {
    pthread_cleanup_push(clean, NULL);
    attempts(arg);
    pthread_cleanup_pop(0);
    return NULL;
}

static pthread_t begin_waits(struct attempt *a) {
    a->returned = 0, a->tid = 0;
    pthread_t thread = spawn(waits, a);
    await_blocked(&a->tid);
    return thread;
}

static void ends(const struct point *point) {
    struct attempt a = {.point = point};
    point->make(&a.object);
    a.object.milliseconds = 1000000;
    cleaned = 0;
    pthread_t thread = begin_waits(&a);
    CHECK_RC(pthread_cancel(thread), 0);
    if (join_thread(thread) != PTHREAD_CANCELED)
        CHECK_FAIL("%s was not cancelled", point->name);
    CHECK_EQ(cleaned, 1);
    if (point->release != NULL && point->call != in_connect) {
        thread = begin_waits(&a);
        still_waits(&a, "after another was cancelled");
        finish(&a, thread);
    } else if (point->call == in_connect) {
        accept_one(&a.object);
    }
    unmake(point, &a.object);
}

static void goes_on(const struct point *point) {
    struct attempt a = {.point = point};
    point->make(&a.object);
    a.object.milliseconds = 20;
    pthread_t thread = begin_waits(&a);
    CHECK_RC(pthread_cancel(thread), 0);
    sleep_ms(2);
    still_waits(&a, "when its thread was cancelled");
    finish(&a, thread);
    unmake(point, &a.object);
}

int main(int argc, char **argv) {
    EACH_POINT(CANCELS, 0, ends);
    EACH_POINT(0, CANCELS, goes_on);
    return 0;
}
