// Tasks of another hub sleep on all clocks, relative and absolute, side by side and never too short; sched_yield lets others run.
#include "hub.h"

static int count, together, most, turns;

struct nap {
    clockid_t clock;
    int absolute;
};

static void sleeper(void *arg) {
    struct nap *nap = (struct nap *)arg;
    if (++together > most)
        most = together;
    int64_t begin = now_ns(nap->clock), ns = 30000000;
    struct timespec time = ns_to_timespec(nap->absolute ? begin + ns : ns);
    struct timespec left = {-1, -1};
    CHECK_RC(clock_nanosleep(nap->clock, nap->absolute ? TIMER_ABSTIME : 0, &time, &left), 0);
    CHECK(now_ns(nap->clock) - begin >= ns);
    CHECK_EQ(left.tv_sec, -1);
    together--;
}

static void timed(void *arg) {
    intptr_t ms = (intptr_t)arg;
    CHECK_OK(usleep((useconds_t)ms * 1000));
    __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
}

static void yielder(void *arg) {
    int me = (int)(intptr_t)arg;
    for (int i = 0; i < 1000 || turns < 2000; i++) {
        __atomic_add_fetch(&turns, 1, __ATOMIC_SEQ_CST);
        CHECK_OK(sched_yield());
    }
    (void)me;
}

static void wrong(void *arg) {
    (void)arg;
    struct timespec bad = {0, 1000000000};
    CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
    CHECK_ERR(nanosleep((struct timespec *)8, NULL), EFAULT);
    bad = (struct timespec){0, 0};
    CHECK_RC(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &bad, NULL), EINVAL);
    CHECK_RC(clock_nanosleep(12345, 0, &bad, NULL), EINVAL);
    CHECK_OK(nanosleep(&bad, NULL));
    CHECK_EQ(sleep(0), 0);
}

int main(void) {
    hub_init();
    static struct nap naps[] = {
        {CLOCK_MONOTONIC, 0}, {CLOCK_MONOTONIC, 1}, {CLOCK_REALTIME, 0}, {CLOCK_REALTIME, 1},
        {CLOCK_BOOTTIME, 0},  {CLOCK_BOOTTIME, 1},  {CLOCK_TAI, 0},      {CLOCK_TAI, 1},
    };
    int n = (int)(sizeof naps / sizeof naps[0]);
    for (int i = 0; i < n; i++)
        hub_spawn(sleeper, &naps[i]);
    hub_spawn(wrong, NULL);
    hub_run();
    if (hub_is_guest)
        CHECK_EQ(most, n);
    for (intptr_t i = 20; i > 0; i--)
        hub_spawn(timed, (void *)(i * 25));
    hub_run();
    CHECK_EQ(count, 20);
    hub_spawn(yielder, (void *)0);
    hub_spawn(yielder, (void *)1);
    hub_run();
    CHECK(turns >= 2000);
    printf("%d waits\n", hub_waits);
}
