// A thread tied to one CPU is told by sched_getcpu, getcpu and the bare system call that it runs on that one, and one with all CPUs that it runs on some CPU it may use.
#include "check.h"
#include <sys/syscall.h>

static cpu_set_t all;

static int on(const cpu_set_t *set) {
    unsigned by_function, by_call;
    for (int i = 0; i < 100; i++) {
        int cpu = sched_getcpu();
        CHECK(cpu >= 0 && CPU_ISSET(cpu, set));
        CHECK_OK(getcpu(&by_function, NULL));
        CHECK(CPU_ISSET(by_function, set));
        unsigned node = 12345;
        CHECK_OK(syscall(SYS_getcpu, &by_call, &node, NULL));
        CHECK(CPU_ISSET(by_call, set));
        CHECK(node != 12345);
        if (i % 10 == 0)
            CHECK_OK(sched_yield());
    }
    CHECK_OK(getcpu(NULL, NULL));
    CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
    CHECK_ERR(syscall(SYS_getcpu, (unsigned *)8, NULL, NULL), EFAULT);
    return by_call;
}

static void *by_attribute(void *arg) {
    cpu_set_t *set = arg;
    on(set);
    return NULL;
}

static void *by_itself(void *arg) {
    CHECK_RC(pthread_setaffinity_np(pthread_self(), sizeof(cpu_set_t), arg), 0);
    on(arg);
    // What it makes is tied too.
    join_thread(spawn(by_attribute, arg));
    CHECK_RC(pthread_setaffinity_np(pthread_self(), sizeof all, &all), 0);
    on(&all);
    return NULL;
}

int main(void) {
    CHECK_OK(sched_getaffinity(0, sizeof all, &all));
    pthread_t threads[2 * CPU_SETSIZE];
    static cpu_set_t sets[CPU_SETSIZE];
    int count = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_SET(cpu, &sets[cpu]);
        pthread_attr_t attributes;
        CHECK_RC(pthread_attr_init(&attributes), 0);
        CHECK_RC(pthread_attr_setaffinity_np(&attributes, sizeof sets[cpu], &sets[cpu]), 0);
        CHECK_RC(pthread_create(&threads[count++], &attributes, by_attribute, &sets[cpu]), 0);
        CHECK_RC(pthread_attr_destroy(&attributes), 0);
        threads[count++] = spawn(by_itself, &sets[cpu]);
    }
    for (int i = 0; i < count; i++)
        join_thread(threads[i]);
    // Main has threads beside it still, and may tie itself as well.
    on(&all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CHECK_OK(sched_setaffinity(0, sizeof sets[cpu], &sets[cpu]));
            CHECK(on(&sets[cpu]) == cpu);
        }
    }
    return 0;
}
