// Error numbers of signal functions, with another thread alive: bad numbers, bad pointers, processes that are not there or not ours, and the old names gsignal, ssignal and psiginfo.
#include "check.h"
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/time.h>

// The old functions are meant.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static volatile sig_atomic_t got;

static void on_signal(int signal) { got = signal; }

static void *wait_here(void *arg) {
    sigset_t all;
    sigfillset(&all);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &all, NULL), 0);
    for (;;)
        pause();
    return arg;
}

// The kernel's calls: libc's functions would look at the pointers themselves.
#define BAD ((void *)8)
enum { SET = 8 };

static void actions(void) {
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_ERR(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(SIGSTOP, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(65, &action, NULL), EINVAL);
    CHECK_ERR(sigaction(0, NULL, NULL), EINVAL);
    CHECK_OK(sigaction(SIGKILL, NULL, &action));
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, BAD, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    CHECK(signal(SIGKILL, on_signal) == SIG_ERR && errno == EINVAL);
    CHECK(signal(65, on_signal) == SIG_ERR && errno == EINVAL);
    CHECK_ERR(siginterrupt(65, 1), EINVAL);
    CHECK(ssignal(SIGUSR1, on_signal) == SIG_DFL);
    CHECK_OK(gsignal(SIGUSR1));
    CHECK_EQ(got, SIGUSR1);
    CHECK(ssignal(SIGUSR1, SIG_IGN) == on_signal);
}

static void masks(void) {
    sigset_t set;
    sigemptyset(&set);
    CHECK_ERR(sigaddset(&set, 65), EINVAL);
    CHECK_ERR(sigdelset(&set, 0), EINVAL);
    CHECK_ERR(sigismember(&set, 65), EINVAL);
    CHECK_ERR(sigprocmask(77, &set, NULL), EINVAL);
    CHECK_RC(pthread_sigmask(77, &set, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, BAD, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigpending, BAD, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigsuspend, BAD, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigsuspend, &set, 4), EINVAL);
    CHECK_ERR(sighold(65), EINVAL);
    CHECK_ERR(sigrelse(65), EINVAL);
    CHECK_ERR(sigignore(SIGKILL), EINVAL);
    CHECK(sigset(SIGKILL, SIG_DFL) == SIG_ERR && errno == EINVAL);
}

static void waits(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    struct timespec bad = {.tv_sec = 0, .tv_nsec = 1000000000}, none = {0, 0};
    CHECK_ERR(sigtimedwait(&set, NULL, &bad), EINVAL);
    CHECK_ERR(sigtimedwait(&set, NULL, &none), EAGAIN);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, BAD, NULL, &none, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, NULL, BAD, SET), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigtimedwait, &set, NULL, &none, 4), EINVAL);
    CHECK_ERR(signalfd(-1, &set, 0x77), EINVAL);
    CHECK_ERR(signalfd(0, &set, 0), EINVAL);
    CHECK_ERR(signalfd(999, &set, 0), EBADF);
}

static void sending(pid_t nobody) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    CHECK_ERR(kill(getpid(), 65), EINVAL);
    CHECK_ERR(kill(nobody, 0), ESRCH);
    CHECK_ERR(killpg(nobody, 0), ESRCH);
    CHECK_ERR(sigqueue(getpid(), 65, (union sigval){0}), EINVAL);
    CHECK_ERR(sigqueue(nobody, 0, (union sigval){0}), ESRCH);
    CHECK_ERR(tgkill(getpid(), gettid(), 65), EINVAL);
    CHECK_ERR(tgkill(getpid(), 0, 0), EINVAL);
    CHECK_ERR(tgkill(getpid(), nobody, 0), ESRCH);
    CHECK_ERR(tgkill(-1, gettid(), 0), EINVAL);
    CHECK_ERR(tgkill(nobody, gettid(), 0), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_tkill, nobody, 0), ESRCH);
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, BAD), EFAULT);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, BAD), EFAULT);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), 65, &info), EINVAL);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), nobody, SIGUSR1, &info), ESRCH);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, -1, gettid(), SIGUSR1, &info), EINVAL);
    info.si_code = SI_TKILL;
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info), EPERM);
    CHECK_ERR(raise(65), EINVAL);
}

static void stacks(void) {
    static char memory[65536];
    stack_t stack = {.ss_sp = memory, .ss_size = 2047};
    CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_size = sizeof memory;
    stack.ss_flags = 0x40;
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_sigaltstack, BAD, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_sigaltstack, NULL, BAD), EFAULT);
}

static void timers(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    event = (struct sigevent){.sigev_notify = 77};
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &event, &timer), EINVAL);
    CHECK_ERR(timer_create(77, NULL, &timer), EINVAL);
    // The clock counts before the rest, and is one that no timer goes by.
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC_COARSE, &event, &timer), EOPNOTSUPP);
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD_ID, ._sigev_un._tid = 999999999};
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_REALTIME_COARSE, &event, &timer), EOPNOTSUPP);
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_REALTIME, &event, &timer), EINVAL);
    CHECK_ERR(syscall(SYS_timer_create, 77, BAD, &timer), EFAULT);
    // Nobody has made one yet.
    for (int id = 0; id < 16; id++) {
        struct itimerspec off = {0};
        CHECK_ERR(syscall(SYS_timer_gettime, id, &off), EINVAL);
        CHECK_ERR(syscall(SYS_timer_getoverrun, id), EINVAL);
        CHECK_ERR(syscall(SYS_timer_settime, id, 0, &off, NULL), EINVAL);
        CHECK_ERR(syscall(SYS_timer_settime, id, 0, BAD, NULL), EFAULT);
        CHECK_ERR(syscall(SYS_timer_delete, id), EINVAL);
    }
    CHECK_OK(timer_create(CLOCK_MONOTONIC, NULL, &timer));
    struct itimerspec bad = {{0, 0}, {0, 1000000000}};
    CHECK_ERR(timer_settime(timer, 0, &bad, NULL), EINVAL);
    CHECK_OK(timer_delete(timer));
    CHECK_ERR(syscall(SYS_timer_gettime, 123456, &bad), EINVAL);
    CHECK_ERR(syscall(SYS_timer_delete, 123456), EINVAL);
    CHECK_ERR(syscall(SYS_timer_getoverrun, 123456), EINVAL);
    struct itimerval wrong = {{0, 0}, {0, 1000000}};
    CHECK_ERR(setitimer(ITIMER_REAL, &wrong, NULL), EINVAL);
    CHECK_ERR(setitimer(77, NULL, NULL), EINVAL);
    CHECK_ERR(getitimer(77, &wrong), EINVAL);
    CHECK_ERR(getitimer(ITIMER_REAL, BAD), EFAULT);
}

int main(void) {
    spawn(wait_here, NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    wait_child(child);
    actions();
    masks();
    waits();
    sending(child);
    stacks();
    timers();
    siginfo_t info = {.si_signo = SIGUSR1};
    fclose(stderr);
    psiginfo(&info, "to nowhere");
    return 0;
}
