// Every call that waits, made by a kernel thread of the program's own making: it waits and ends as ever while the others go on. What such a thread does ends the waits of the others.
#include "rules/points.h"
#include "rules/foreign.h"

static long turns;
static int stop;

// Goes on all the time.
static void *take_turns(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
        sleep_ms(1);
    }
    return arg;
}

static void waits_in_a_foreign_thread(const struct point *point) {
    static struct attempt a;
    struct foreign thread;
    a = (struct attempt){.point = point};
    point->make(&a.object);
    a.object.milliseconds = 30;
    foreign_spawn(&thread, attempts, &a);
    if (point->release != NULL) {
        await_blocked(&a.tid);
        CHECK(kernel_threads() >= 2);
        long before = __atomic_load_n(&turns, __ATOMIC_SEQ_CST);
        EVENTUALLY(__atomic_load_n(&turns, __ATOMIC_SEQ_CST) > before + 1);
        still_waits(&a, "before there was anything");
        point->release(&a.object);
    }
    foreign_join(&thread);
    if (a.result != point->want)
        CHECK_FAIL("%s: %ld (%s), want %ld", point->name, a.result, strerror(a.error), point->want);
    unmake(point, &a.object);
}

static void *release(void *arg) {
    struct attempt *a = arg;
    a->point->release(&a->object);
    return NULL;
}

static void is_ended_by_a_foreign_thread(const struct point *point) {
    static struct attempt a;
    struct foreign thread;
    pthread_t waiter = begin(&a, point, 30);
    still_waits(&a, "before there was anything");
    foreign_spawn(&thread, release, &a);
    join_thread(waiter);
    foreign_join(&thread);
    if (a.result != point->want)
        CHECK_FAIL("%s: %ld (%s), want %ld", point->name, a.result, strerror(a.error), point->want);
    unmake(point, &a.object);
}

int main(int argc, char **argv) {
    pthread_t other = spawn(take_turns, NULL);
    EACH_POINT(0, 0, waits_in_a_foreign_thread);
    EACH_POINT(0, SLEEPS, is_ended_by_a_foreign_thread);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    join_thread(other);
    return 0;
}
