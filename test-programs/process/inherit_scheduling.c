// A child has the affinity, the nice value and the policy of the thread that made it: by fork, vfork, posix_spawn and after an exec; the process's other threads don't count.
#include "check.h"
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;
static char self[4096], cpu_text[16];

static void expect_inherited(int cpu) {
    cpu_set_t set;
    CHECK_OK(sched_getaffinity(0, sizeof set, &set));
    CHECK_EQ(CPU_COUNT(&set), 1);
    CHECK(CPU_ISSET(cpu, &set));
    errno = 0;
    CHECK_EQ(getpriority(PRIO_PROCESS, 0), 6);
    CHECK_EQ(errno, 0);
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
}

static void *makes_children(void *arg) {
    int cpu = atoi(cpu_text);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    CHECK_OK(sched_setaffinity(0, sizeof set, &set));
    CHECK_OK(setpriority(PRIO_PROCESS, (id_t)gettid(), 6));
    struct sched_param zero = {0};
    CHECK_OK(sched_setscheduler(0, SCHED_BATCH, &zero));

    char *argv[] = {self, cpu_text, NULL};
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        expect_inherited(cpu);
        pid_t grandchild = fork();
        CHECK_OK(grandchild);
        if (grandchild == 0) {
            expect_inherited(cpu);
            _exit(0);
        }
        CHECK_EQ(wait_child(grandchild), 0);
        execv(self, argv);
        _exit(9);
    }
    CHECK_EQ(wait_child(pid), 0);
    pid = vfork();
    if (pid == 0) {
        execv(self, argv);
        _exit(9);
    }
    CHECK_OK(pid);
    CHECK_EQ(wait_child(pid), 0);
    CHECK_RC(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    CHECK_EQ(wait_child(pid), 0);
    CHECK_ERR(execv("/nonexistent", argv), ENOENT);
    expect_inherited(cpu);
    return arg;
}

static void *execs(void *arg) {
    makes_children(NULL);
    char *argv[] = {self, cpu_text, NULL};
    execv(self, argv);
    return arg;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        expect_inherited(atoi(argv[1]));
        return 0;
    }
    // Whoever starts the tests may do it with another nice value.
    if (setpriority(PRIO_PROCESS, 0, 0) == -1)
        SKIP("the nice value cannot be set to 0");
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    cpu_set_t all, now;
    CHECK_OK(sched_getaffinity(0, sizeof all, &all));
    if (CPU_COUNT(&all) < 2)
        SKIP("one processor only");
    int cpu = 0;
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    snprintf(cpu_text, sizeof cpu_text, "%d", cpu);
    join_thread(spawn(makes_children, NULL));
    CHECK_OK(sched_getaffinity(0, sizeof now, &now));
    CHECK(CPU_EQUAL(&now, &all));
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_OK(sched_getaffinity(0, sizeof now, &now));
        CHECK(CPU_EQUAL(&now, &all));
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    join_thread(spawn(execs, NULL));
    CHECK_FAIL("exec came back");
}
