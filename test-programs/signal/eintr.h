// Interrupts a list of blocking calls by a handler, without and with SA_RESTART.
#ifndef EINTR_H
#define EINTR_H

#include "check.h"

enum restart {
    NEVER_RESTARTED, // EINTR even with SA_RESTART
    RESTARTED,       // EINTR without SA_RESTART only
    UNINTERRUPTED,   // libc goes on in either case
};

struct eintr_point {
    const char *name;
    int (*block)(void);    // 0, or the error number
    void (*release)(void); // makes the call return 0; may be called once only
    enum restart restart;
};

struct eintr_run {
    const struct eintr_point *point;
    int entered, returned, result;
};

static int eintr_handled, eintr_elsewhere;
static pthread_t eintr_target;

static void eintr_handler(int sig) {
    (void)sig;
    if (!pthread_equal(pthread_self(), eintr_target))
        __atomic_add_fetch(&eintr_elsewhere, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&eintr_handled, 1, __ATOMIC_SEQ_CST);
}

static void *eintr_thread(void *arg) {
    struct eintr_run *run = arg;
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    eintr_target = pthread_self();
    CHECK_RC(pthread_sigmask(SIG_UNBLOCK, &usr1, NULL), 0);
    __atomic_store_n(&run->entered, 1, __ATOMIC_SEQ_CST);
    run->result = run->point->block();
    __atomic_store_n(&run->returned, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static struct eintr_run *eintr_current;

static int eintr_returned(struct eintr_run *run) { return __atomic_load_n(&run->returned, __ATOMIC_SEQ_CST); }
// For a release that ends by making the call block again: the released one has had what it waited for.
CHECK_UNUSED static void eintr_let_return(void) { EVENTUALLY(eintr_returned(eintr_current)); }
static int eintr_count(void) { return __atomic_load_n(&eintr_handled, __ATOMIC_SEQ_CST); }

static void eintr_one(const struct eintr_point *point, int flags) {
    struct sigaction sa = {.sa_handler = eintr_handler, .sa_flags = flags};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    struct eintr_run run = {.point = point};
    eintr_current = &run;
    pthread_t t = spawn(eintr_thread, &run);
    EVENTUALLY(__atomic_load_n(&run.entered, __ATOMIC_SEQ_CST));
    int goes_on = point->restart == UNINTERRUPTED || (point->restart == RESTARTED && flags == SA_RESTART);
    if (goes_on) {
        for (int i = 0; i < 4; i++) {
            sleep_ms(1);
            int before = eintr_count();
            CHECK_RC(pthread_kill(t, SIGUSR1), 0);
            EVENTUALLY(eintr_count() == before + 1);
        }
        sleep_ms(2);
        if (eintr_returned(&run))
            CHECK_FAIL("%s returned (%s) with flags %d", point->name, strerror(run.result), flags);
        point->release();
    } else {
        // A signal may come before the call; then the next one interrupts it.
        for (int left = 20000; !eintr_returned(&run); left--) {
            if (left == 0)
                CHECK_FAIL("%s with flags %d is not interrupted", point->name, flags);
            CHECK_RC(pthread_kill(t, SIGUSR1), 0);
            sleep_ms(1);
        }
    }
    join_thread(t);
    if (run.result != (goes_on ? 0 : EINTR))
        CHECK_FAIL("%s with flags %d: %s, want %s", point->name, flags, strerror(run.result),
                   goes_on ? "success" : strerror(EINTR));
    CHECK_EQ(eintr_elsewhere, 0);
}

static void eintr_each(const struct eintr_point *points, size_t n, const char *only) {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        if (only != NULL && strcmp(only, points[i].name) != 0)
            continue;
        eintr_one(&points[i], 0);
        eintr_one(&points[i], SA_RESTART);
    }
    CHECK(eintr_count() > 0);
}

// One entry may be named on the command line.
#define EINTR_EACH(points) eintr_each(points, sizeof(points) / sizeof *(points), argc > 1 ? argv[1] : NULL)

#define EINTR_RESULT(call) ((call) == -1 ? errno : 0)

#endif
