// Every thread attribute reads back as set, bad values are EINVAL, and a thread runs under the attributes.
#include "check.h"
#include <limits.h>

static void *report(void *arg) {
    pthread_attr_t *mine = arg;
    CHECK_RC(pthread_getattr_np(pthread_self(), mine), 0);
    return NULL;
}

int main(void) {
    pthread_attr_t attr, mine;
    int value;
    size_t size;
    CHECK_RC(pthread_attr_init(&attr), 0);

    CHECK_RC(pthread_attr_getdetachstate(&attr, &value), 0);
    CHECK_EQ(value, PTHREAD_CREATE_JOINABLE);
    CHECK_RC(pthread_attr_setdetachstate(&attr, 99), EINVAL);
    CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    CHECK_RC(pthread_attr_getdetachstate(&attr, &value), 0);
    CHECK_EQ(value, PTHREAD_CREATE_DETACHED);
    CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_JOINABLE), 0);

    CHECK_RC(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN - 1), EINVAL);
    CHECK_RC(pthread_attr_setstacksize(&attr, 1 << 20), 0);
    CHECK_RC(pthread_attr_getstacksize(&attr, &size), 0);
    CHECK_EQ(size, 1 << 20);
    CHECK_RC(pthread_attr_setguardsize(&attr, 3 * 4096), 0);
    CHECK_RC(pthread_attr_getguardsize(&attr, &size), 0);
    CHECK_EQ(size, 3 * 4096);

    CHECK_RC(pthread_attr_setscope(&attr, PTHREAD_SCOPE_PROCESS), ENOTSUP);
    CHECK_RC(pthread_attr_setscope(&attr, 77), EINVAL);
    CHECK_RC(pthread_attr_setscope(&attr, PTHREAD_SCOPE_SYSTEM), 0);
    CHECK_RC(pthread_attr_getscope(&attr, &value), 0);
    CHECK_EQ(value, PTHREAD_SCOPE_SYSTEM);

    CHECK_RC(pthread_attr_getinheritsched(&attr, &value), 0);
    CHECK_EQ(value, PTHREAD_INHERIT_SCHED);
    CHECK_RC(pthread_attr_setinheritsched(&attr, 5), EINVAL);
    CHECK_RC(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED), 0);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, 12345), EINVAL);
    CHECK_RC(pthread_attr_setschedpolicy(&attr, SCHED_OTHER), 0);
    CHECK_RC(pthread_attr_getschedpolicy(&attr, &value), 0);
    CHECK_EQ(value, SCHED_OTHER);
    struct sched_param param = {.sched_priority = 0};
    CHECK_RC(pthread_attr_setschedparam(&attr, &param), 0);
    CHECK_RC(pthread_attr_getschedparam(&attr, &param), 0);
    CHECK_EQ(param.sched_priority, 0);

    pthread_t t;
    CHECK_RC(pthread_create(&t, &attr, report, &mine), 0);
    join_thread(t);
    CHECK_RC(pthread_attr_getstacksize(&mine, &size), 0);
    CHECK_EQ(size, 1 << 20);
    CHECK_RC(pthread_attr_getguardsize(&mine, &size), 0);
    CHECK_EQ(size, 3 * 4096);
    CHECK_RC(pthread_attr_getdetachstate(&mine, &value), 0);
    CHECK_EQ(value, PTHREAD_CREATE_JOINABLE);
    CHECK_RC(pthread_attr_destroy(&mine), 0);
    CHECK_RC(pthread_attr_destroy(&attr), 0);

    // The default of later threads; larger than any before, as a cached stack shows its own size.
    pthread_attr_t defaults;
    CHECK_RC(pthread_getattr_default_np(&defaults), 0);
    CHECK_RC(pthread_attr_setstacksize(&defaults, 3 << 20), 0);
    CHECK_RC(pthread_setattr_default_np(&defaults), 0);
    t = spawn(report, &mine);
    join_thread(t);
    CHECK_RC(pthread_attr_getstacksize(&mine, &size), 0);
    CHECK_EQ(size, 3 << 20);
    pthread_attr_destroy(&mine);
    pthread_attr_destroy(&defaults);
    return 0;
}
