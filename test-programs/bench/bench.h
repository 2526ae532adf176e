// What the benchmark programs share.
#ifndef BENCH_H
#define BENCH_H

#include "check.h"
#include <sys/resource.h>

// As many open files as this user may have, or as the kernel allows where it lets us raise the limit.
static inline long raise_file_limit(long wanted) {
    struct rlimit files;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    if (files.rlim_max < (rlim_t)wanted) {
        struct rlimit more = {wanted, wanted};
        if (setrlimit(RLIMIT_NOFILE, &more) == 0)
            return wanted;
    }
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    return files.rlim_cur;
}

// Wall time, and CPU time of all threads of this process.
struct stopwatch {
    int64_t wall, cpu;
};

static inline struct stopwatch stopwatch(void) {
    return (struct stopwatch){now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_PROCESS_CPUTIME_ID)};
}

static inline struct stopwatch since(struct stopwatch begin) {
    struct stopwatch now = stopwatch();
    return (struct stopwatch){now.wall - begin.wall, now.cpu - begin.cpu};
}

#endif
