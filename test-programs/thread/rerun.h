// Runs this program again in a child with one argument, for what ends or execs a process; its output and wait status come back.
#ifndef RERUN_H
#define RERUN_H

#include "check.h"
#include <sys/resource.h>

struct outcome {
    int status;
    char output[4096];
};

CHECK_UNUSED static struct outcome rerun(const char *argument) {
    struct outcome o;
    memset(&o, 0, sizeof o);
    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    fflush(NULL);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], 1);
        execl("/proc/self/exe", "self", argument, (char *)NULL);
        _exit(99);
    }
    CHECK_OK(close(ends[1]));
    size_t n = 0;
    for (;;) {
        ssize_t got = read(ends[0], o.output + n, sizeof o.output - 1 - n);
        if (got == -1 && errno == EINTR)
            continue;
        CHECK_OK(got);
        if (got == 0)
            break;
        n += (size_t)got;
    }
    CHECK_OK(close(ends[0]));
    o.status = wait_child(pid);
    return o;
}

// Output of the child, unbuffered and without stdio's locks.
CHECK_UNUSED static void say(const char *text) { CHECK_EQ(write(1, text, strlen(text)), (long)strlen(text)); }

#define CHECK_EXIT(outcome, code)                              \
    do {                                                       \
        CHECK(WIFEXITED((outcome).status));                    \
        CHECK_EQ(WEXITSTATUS((outcome).status), (code));       \
    } while (0)

#define CHECK_KILLED(outcome, sig)                             \
    do {                                                       \
        CHECK(WIFSIGNALED((outcome).status));                  \
        CHECK_EQ(WTERMSIG((outcome).status), (sig));           \
    } while (0)

#endif
