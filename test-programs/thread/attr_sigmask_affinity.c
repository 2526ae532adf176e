// A thread starts with the signal mask and the CPU affinity that its attributes name.
#include "check.h"

CHECK_UNUSED static void *report(void *arg) {
    cpu_set_t *set = arg;
    sigset_t mask;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    CHECK(sigismember(&mask, SIGUSR1));
    CHECK(!sigismember(&mask, SIGUSR2));
    CHECK_RC(pthread_getaffinity_np(pthread_self(), sizeof *set, set), 0);
    return NULL;
}

int main(void) {
#if !__GLIBC_PREREQ(2, 32)
    SKIP("needs pthread_attr_setsigmask_np of glibc 2.32");
#else
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    sigset_t mask, got;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK_RC(pthread_attr_getsigmask_np(&attr, &got), PTHREAD_ATTR_NO_SIGMASK_NP);
    CHECK_RC(pthread_attr_setsigmask_np(&attr, &mask), 0);
    CHECK_RC(pthread_attr_getsigmask_np(&attr, &got), 0);
    CHECK(sigismember(&got, SIGUSR1));

    cpu_set_t allowed, one, seen;
    CHECK_RC(pthread_getaffinity_np(pthread_self(), sizeof allowed, &allowed), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    CHECK_RC(pthread_attr_setaffinity_np(&attr, sizeof one, &one), 0);
    pthread_t t;
    CHECK_RC(pthread_create(&t, &attr, report, &seen), 0);
    join_thread(t);
    CHECK(CPU_EQUAL(&seen, &one));
    CHECK_RC(pthread_getaffinity_np(pthread_self(), sizeof seen, &seen), 0);
    CHECK(CPU_EQUAL(&seen, &allowed));
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    return 0;
#endif
}
