// Assertions of the test programs, for C and C++. Every program passes natively; preloaded it asserts the same.
// Exit status: 0 passed, 77 skipped, anything else failed.
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif
int greenpatch_is_patched(const char *module) __attribute__((weak));
#ifdef __cplusplus
}
#endif

#define CHECK_UNUSED __attribute__((unused))

CHECK_UNUSED __attribute__((noreturn)) static void check_fail_exit(void) {
    fflush(stdout);
    fflush(stderr);
    _exit(1);
}

#define CHECK_FAIL(...)                                       \
    do {                                                      \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);       \
        fprintf(stderr, __VA_ARGS__);                         \
        fputc('\n', stderr);                                  \
        check_fail_exit();                                    \
    } while (0)

#define CHECK(cond)                                                              \
    do {                                                                         \
        if (!(cond)) {                                                           \
            int check_errno_ = errno;                                            \
            CHECK_FAIL("%s is false (errno %d, %s)", #cond, check_errno_,        \
                       strerror(check_errno_));                                  \
        }                                                                        \
    } while (0)

#define CHECK_EQ(got, want)                                                              \
    do {                                                                                 \
        long long check_got_ = (long long)(got), check_want_ = (long long)(want);        \
        if (check_got_ != check_want_)                                                   \
            CHECK_FAIL("%s is %lld, want %s = %lld", #got, check_got_, #want, check_want_); \
    } while (0)

#define CHECK_STR(got, want)                                                             \
    do {                                                                                 \
        const char *check_got_ = (got), *check_want_ = (want);                           \
        if (check_got_ == NULL || strcmp(check_got_, check_want_) != 0)                  \
            CHECK_FAIL("%s is \"%s\", want \"%s\"", #got, check_got_ ? check_got_ : "(null)", \
                       check_want_);                                                     \
    } while (0)

// For calls that return their error number, as those of <pthread.h> do.
#define CHECK_RC(call, expected)                                                         \
    do {                                                                                 \
        int check_rc_ = (call), check_want_ = (expected);                                \
        if (check_rc_ != check_want_)                                                    \
            CHECK_FAIL("%s returned %d (%s), want %d (%s)", #call, check_rc_,            \
                       strerror(check_rc_), check_want_, strerror(check_want_));         \
    } while (0)

// For calls that return -1 and set errno.
#define CHECK_ERR(call, expected)                                                        \
    do {                                                                                 \
        errno = 0;                                                                       \
        long long check_got_ = (long long)(call);                                        \
        int check_errno_ = errno, check_want_ = (expected);                              \
        if (check_got_ != -1)                                                            \
            CHECK_FAIL("%s returned %lld, want -1 with %d (%s)", #call, check_got_,      \
                       check_want_, strerror(check_want_));                              \
        if (check_errno_ != check_want_)                                                 \
            CHECK_FAIL("%s: errno %d (%s), want %d (%s)", #call, check_errno_,           \
                       strerror(check_errno_), check_want_, strerror(check_want_));      \
    } while (0)

#define CHECK_OK(call)                                                                   \
    do {                                                                                 \
        errno = 0;                                                                       \
        if ((long long)(call) == -1) {                                                   \
            int check_errno_ = errno;                                                    \
            CHECK_FAIL("%s failed: errno %d (%s)", #call, check_errno_, strerror(check_errno_)); \
        }                                                                                \
    } while (0)

#define SKIP(reason)                                \
    do {                                            \
        printf("skipped: %s\n", (reason));          \
        fflush(stdout);                             \
        _exit(77);                                  \
    } while (0)

// Waits for what another thread or process does. Twenty seconds are for a stuck program, not for a busy machine.
#define EVENTUALLY(cond)                                                             \
    do {                                                                             \
        int check_left_ = 20000;                                                     \
        while (!(cond)) {                                                            \
            if (check_left_-- == 0)                                                  \
                CHECK_FAIL("%s did not become true", #cond);                         \
            struct timespec check_ms_ = {0, 1000000};                                \
            nanosleep(&check_ms_, NULL);                                             \
        }                                                                            \
    } while (0)

// True when threads are green threads.
CHECK_UNUSED static int preloaded(void) {
    return greenpatch_is_patched != NULL && greenpatch_is_patched("thread") == 1;
}

// The heavy programs run a shorter form unless GP_FULL=1.
CHECK_UNUSED static int full_run(void) {
    const char *full = getenv("GP_FULL");
    return full != NULL && strcmp(full, "1") == 0;
}

CHECK_UNUSED static int count_directory(const char *path) {
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.')
            n++;
    closedir(dir);
    return n;
}

// Kernel threads of this process, without the shim's own.
CHECK_UNUSED static int kernel_threads(void) {
    DIR *dir = opendir("/proc/self/task");
    CHECK(dir != NULL);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        char path[320], comm[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue; // ended meanwhile
        ssize_t got = read(fd, comm, sizeof comm - 1);
        close(fd);
        if (got <= 0)
            continue;
        comm[strcspn(comm, "\n")] = '\0';
        if (strcmp(comm, "greenpatch-io") != 0)
            n++;
    }
    closedir(dir);
    return n;
}

#define CHECK_ONE_KERNEL_THREAD()                \
    do {                                         \
        if (preloaded())                         \
            CHECK_EQ(kernel_threads(), 1);       \
    } while (0)

// Open descriptors, the one that counts them not included.
CHECK_UNUSED static int open_fds(void) { return count_directory("/proc/self/fd") - 1; }

// Resident memory in KiB.
CHECK_UNUSED static long rss_kb(void) {
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f != NULL);
    long size = 0, resident = 0;
    CHECK_EQ(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

CHECK_UNUSED static pthread_t spawn(void *(*fn)(void *), void *arg) {
    pthread_t t;
    CHECK_RC(pthread_create(&t, NULL, fn, arg), 0);
    return t;
}

CHECK_UNUSED static void *join_thread(pthread_t t) {
    void *result = NULL;
    CHECK_RC(pthread_join(t, &result), 0);
    return result;
}

CHECK_UNUSED static int64_t now_ns(clockid_t clock) {
    struct timespec ts;
    CHECK_OK(clock_gettime(clock, &ts));
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

CHECK_UNUSED static struct timespec ns_to_timespec(int64_t ns) {
    struct timespec ts;
    ts.tv_sec = ns / 1000000000;
    ts.tv_nsec = ns % 1000000000;
    return ts;
}

// The time `ms` milliseconds from now (or ago, if negative) on `clock`.
CHECK_UNUSED static struct timespec deadline_in(clockid_t clock, int64_t ms) {
    return ns_to_timespec(now_ns(clock) + ms * 1000000);
}

CHECK_UNUSED static void sleep_ms(long ms) {
    struct timespec ts = ns_to_timespec((int64_t)ms * 1000000);
    while (nanosleep(&ts, &ts) == -1 && errno == EINTR) {
    }
}

// Waits for a child and gives its wait status.
CHECK_UNUSED static int wait_child(pid_t pid) {
    int status = 0;
    pid_t got;
    do
        got = waitpid(pid, &status, 0);
    while (got == -1 && errno == EINTR);
    CHECK_EQ(got, pid);
    return status;
}

#endif
