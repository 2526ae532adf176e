// Mutexes: each error number of each kind. Too many recursive locks are EAGAIN, a ceiling below the caller's priority is EINVAL, kinds that cannot be had are ENOTSUP, also in the timed forms.
#include "check.h"
#include <dlfcn.h>
#include <limits.h>

// One of the names is an old one.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static const struct timespec past = {0, 0}, bad = {1, 1000000000};

static pthread_mutex_t make(int kind, int protocol, int robust) {
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_settype(&attr, kind), 0);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, protocol), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, robust), 0);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), 0);
    CHECK_RC(pthread_mutexattr_destroy(&attr), 0);
    return mutex;
}

static void attributes(void) {
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;
    CHECK_RC(pthread_mutexattr_init(&attr), 0);
    CHECK_RC(pthread_mutexattr_settype(&attr, 77), EINVAL);
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, 77), EINVAL);
    CHECK_RC(pthread_mutexattr_setpshared(&attr, 77), EINVAL);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, 77), EINVAL);
    CHECK_RC(pthread_mutexattr_setprioceiling(&attr, 0), EINVAL);
    CHECK_RC(pthread_mutexattr_setprioceiling(&attr, 100), EINVAL);
    // Robust and protected at once is more than this library can.
    CHECK_RC(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT), 0);
    CHECK_RC(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    CHECK_RC(pthread_mutex_init(&mutex, &attr), ENOTSUP);
    CHECK_RC(pthread_mutexattr_destroy(&attr), 0);
}

static void recursive(int protocol, int robust) {
    pthread_mutex_t mutex = make(PTHREAD_MUTEX_RECURSIVE, protocol, robust);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    // Four thousand million locks would take too long.
    mutex.__data.__count = UINT_MAX;
    CHECK_RC(pthread_mutex_lock(&mutex), EAGAIN);
    CHECK_RC(pthread_mutex_trylock(&mutex), EAGAIN);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &past), EAGAIN);
    CHECK_RC(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &past), EAGAIN);
    mutex.__data.__count = 1;
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
}

static void checked(int protocol, int robust) {
    pthread_mutex_t mutex = make(PTHREAD_MUTEX_ERRORCHECK, protocol, robust);
    struct timespec soon = deadline_in(CLOCK_REALTIME, 1000000);
    CHECK_RC(pthread_mutex_unlock(&mutex), EPERM);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_lock(&mutex), EDEADLK);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &soon), EDEADLK);
    CHECK_RC(pthread_mutex_clocklock(&mutex, CLOCK_REALTIME, &soon), EDEADLK);
    CHECK_RC(pthread_mutex_trylock(&mutex), protocol == PTHREAD_PRIO_NONE && !robust ? EBUSY : EDEADLK);
    // A robust one is not asked whether it is held.
    if (!robust)
        CHECK_RC(pthread_mutex_destroy(&mutex), EBUSY);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}

static pthread_mutex_t held;

static void *find_it_held(void *arg) {
    CHECK_RC(pthread_mutex_trylock(&held), EBUSY);
    CHECK_RC(pthread_mutex_timedlock(&held, &past), ETIMEDOUT);
    CHECK_RC(pthread_mutex_timedlock(&held, &bad), EINVAL);
    CHECK_RC(pthread_mutex_clocklock(&held, CLOCK_REALTIME, &past), ETIMEDOUT);
    CHECK_RC(pthread_mutex_clocklock(&held, CLOCK_REALTIME, &bad), EINVAL);
    CHECK_RC(pthread_mutex_clocklock(&held, CLOCK_THREAD_CPUTIME_ID, &past), EINVAL);
    return arg;
}

static void held_by_another(int kind, int protocol, int robust) {
    held = make(kind, protocol, robust);
    CHECK_RC(pthread_mutex_lock(&held), 0);
    join_thread(spawn(find_it_held, NULL));
    CHECK_RC(pthread_mutex_unlock(&held), 0);
    CHECK_RC(pthread_mutex_destroy(&held), 0);
}

static void *own(void *arg) {
    CHECK_RC(pthread_mutex_lock(&held), 0);
    return arg;
}

static void owner_died(int kind, int protocol) {
    for (int timed = 0; timed < 4; timed++) {
        held = make(kind, protocol, PTHREAD_MUTEX_ROBUST);
        CHECK_RC(pthread_mutex_consistent(&held), EINVAL);
        join_thread(spawn(own, NULL));
        for (int i = 0; i < 2; i++) {
            int want = i == 0 ? EOWNERDEAD : ENOTRECOVERABLE;
            switch (timed) {
            case 0: CHECK_RC(pthread_mutex_lock(&held), want); break;
            case 1: CHECK_RC(pthread_mutex_trylock(&held), want); break;
            case 2: CHECK_RC(pthread_mutex_timedlock(&held, &past), want); break;
            case 3: CHECK_RC(pthread_mutex_clocklock(&held, CLOCK_REALTIME, &past), want); break;
            }
            if (i == 0)
                CHECK_RC(pthread_mutex_unlock(&held), 0);
        }
        CHECK_RC(pthread_mutex_consistent(&held), EINVAL);
        CHECK_RC(pthread_mutex_destroy(&held), 0);
    }
}

// The names before POSIX had them: the header's, and the symbol that older programs were linked with.
static void old_names(void) {
    int (*old)(pthread_mutex_t *) = (int (*)(pthread_mutex_t *))dlvsym(RTLD_DEFAULT, "pthread_mutex_consistent_np", "GLIBC_2.4");
    CHECK(old != NULL);
    for (int i = 0; i < 2; i++) {
        held = make(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
        CHECK_RC(i == 0 ? pthread_mutex_consistent_np(&held) : old(&held), EINVAL);
        join_thread(spawn(own, NULL));
        CHECK_RC(pthread_mutex_lock(&held), EOWNERDEAD);
        CHECK_RC(i == 0 ? pthread_mutex_consistent_np(&held) : old(&held), 0);
        CHECK_RC(pthread_mutex_unlock(&held), 0);
        CHECK_RC(pthread_mutex_lock(&held), 0);
        CHECK_RC(pthread_mutex_unlock(&held), 0);
        CHECK_RC(pthread_mutex_destroy(&held), 0);
    }
}

static void *above_the_ceiling(void *arg) {
    pthread_mutex_t *mutex = arg;
    CHECK_RC(pthread_mutex_lock(mutex), EINVAL);
    CHECK_RC(pthread_mutex_trylock(mutex), EINVAL);
    CHECK_RC(pthread_mutex_timedlock(mutex, &past), EINVAL);
    CHECK_RC(pthread_mutex_clocklock(mutex, CLOCK_REALTIME, &past), EINVAL);
    return arg;
}

static void protected(int kind) {
    pthread_mutex_t mutex = make(kind, PTHREAD_PRIO_PROTECT, PTHREAD_MUTEX_STALLED);
    int old = 0;
    CHECK_RC(pthread_mutex_getprioceiling(&mutex, &old), 0);
    CHECK_EQ(old, sched_get_priority_min(SCHED_FIFO));
    CHECK_RC(pthread_mutex_setprioceiling(&mutex, 0, &old), EINVAL);
    CHECK_RC(pthread_mutex_setprioceiling(&mutex, 100, &old), EINVAL);
    CHECK_RC(pthread_mutex_setprioceiling(&mutex, 3, &old), 0);
    CHECK_EQ(old, sched_get_priority_min(SCHED_FIFO));

    pthread_attr_t attr;
    struct sched_param param = {.sched_priority = 4};
    pthread_t high;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_FIFO), 0);
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    int rc = pthread_create(&high, &attr, above_the_ceiling, &mutex);
    if (rc != EPERM) { // an ordinary user may not
        CHECK_RC(rc, 0);
        join_thread(high);
    }
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    CHECK_RC(pthread_mutex_destroy(&mutex), 0);
}

static void *wait_here(void *arg) {
    sigset_t none;
    sigemptyset(&none);
    sigsuspend(&none);
    return arg;
}

int main(void) {
    spawn(wait_here, NULL);
    attributes();
    old_names();
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_INHERIT; protocol++)
        for (int robust = 0; robust < 2; robust++) {
            recursive(protocol, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
            checked(protocol, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
            for (int kind = PTHREAD_MUTEX_NORMAL; kind <= PTHREAD_MUTEX_ADAPTIVE_NP; kind++)
                held_by_another(kind, protocol, robust ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
        }
    for (int kind = PTHREAD_MUTEX_NORMAL; kind <= PTHREAD_MUTEX_ADAPTIVE_NP; kind++) {
        owner_died(kind, PTHREAD_PRIO_NONE);
        owner_died(kind, PTHREAD_PRIO_INHERIT);
        protected(kind);
    }
    return 0;
}
