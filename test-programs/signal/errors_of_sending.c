// Sending signals to other users' processes is EPERM in every call that sends, signal 0 too, and so is what only the kernel sends; a full queue is EAGAIN for real-time signals that queue, and the others come all the same.
#include "check.h"
#include <sys/resource.h>
#include <sys/syscall.h>

static _Atomic pid_t waiting;

static void *wait_here(void *arg) {
    waiting = gettid();
    for (;;)
        pause();
    return arg;
}

static int pidfd_send(int fd, int number, siginfo_t *info, unsigned flags) {
    return (int)syscall(SYS_pidfd_send_signal, fd, number, info, flags);
}

static void as_another_user(void) {
    pid_t parent = getppid();
    // Not one of the group itself.
    CHECK_OK(setpgid(0, 0));
    int fd = (int)syscall(SYS_pidfd_open, parent, 0);
    CHECK_OK(fd);
    CHECK_OK(setresuid(65534, 65534, 65534));
    siginfo_t info = {.si_code = SI_QUEUE};
    for (int i = 0; i < 3; i++) {
        int number = (int[]){0, SIGUSR1, SIGRTMAX}[i];
        CHECK_ERR(kill(parent, number), EPERM);
        CHECK_ERR(kill(-parent, number), EPERM);
        CHECK_ERR(killpg(parent, number), EPERM);
        CHECK_ERR(sigqueue(parent, number, (union sigval){0}), EPERM);
        CHECK_ERR(tgkill(parent, parent, number), EPERM);
        CHECK_ERR(syscall(SYS_tkill, parent, number), EPERM);
        CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, parent, parent, number, &info), EPERM);
        CHECK_ERR(pidfd_send(fd, number, NULL, 0), EPERM);
    }
    CHECK_ERR(kill(1, SIGUSR1), EPERM);
    close(fd);
}

static void by_descriptor(void) {
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    CHECK_OK(fd);
    siginfo_t info = {.si_signo = SIGUSR2, .si_code = SI_QUEUE};
    CHECK_OK(pidfd_send(fd, 0, NULL, 0));
    CHECK_ERR(pidfd_send(fd, 65, NULL, 0), EINVAL);
    CHECK_ERR(pidfd_send(fd, 0, NULL, 0x100), EINVAL);
    // The number is said twice.
    CHECK_ERR(pidfd_send(fd, SIGUSR1, &info, 0), EINVAL);
    CHECK_ERR(pidfd_send(fd, SIGUSR1, (siginfo_t *)8, 0), EFAULT);
    CHECK_ERR(pidfd_send(-1, SIGUSR1, NULL, 0), EBADF);
    CHECK_OK(close(fd));
    CHECK_OK(fd = open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK_ERR(pidfd_send(fd, SIGUSR1, NULL, 0), EBADF);
    CHECK_OK(close(fd));

    pid_t child = fork();
    if (child == 0)
        _exit(0);
    CHECK_OK(fd = (int)syscall(SYS_pidfd_open, child, 0));
    wait_child(child);
    CHECK_ERR(pidfd_send(fd, 0, NULL, 0), ESRCH);
    CHECK_OK(close(fd));
}

// For the process as a whole; what is queued for one thread has a program of its own.
static void full_queue(void) {
    sigset_t set;
    siginfo_t info;
    struct timespec now = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    struct rlimit few;
    CHECK_OK(getrlimit(RLIMIT_SIGPENDING, &few));
    few.rlim_cur = 0;
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &few));
    CHECK_ERR(sigqueue(getpid(), SIGRTMIN, (union sigval){0}), EAGAIN);
    // The others come all the same.
    CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){0}));
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, NULL, &(timer_t){0}), EAGAIN);
    CHECK_EQ(sigtimedwait(&set, &info, &now), SIGUSR1);
    CHECK_OK(kill(getpid(), SIGUSR1));
    // kill promises no queue.
    CHECK_OK(kill(getpid(), SIGRTMIN));
    CHECK_EQ(sigtimedwait(&set, &info, &now), SIGUSR1);
    CHECK_EQ(sigtimedwait(&set, &info, &now), SIGRTMIN);
    CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
    few.rlim_cur = few.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &few));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7}));
    CHECK_EQ(sigtimedwait(&set, &info, &now), SIGRTMIN);
    CHECK_EQ(info.si_value.sival_int, 7);
}

// Only to itself may a thread send what seems to come from the kernel or from tgkill.
static void claims(void) {
    union {
        siginfo_t info;
        char bytes[128];
    } told = {.info = {.si_code = SI_USER}};
    pid_t me = gettid(), other = waiting;
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, 0, &told), EPERM);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), other, 0, &told), EPERM);
    CHECK_OK(syscall(SYS_rt_sigqueueinfo, me, 0, &told));
    CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), me, 0, &told));
    told.info.si_code = SI_TKILL;
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, other, 0, &told), EPERM);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), other, 0, &told), EPERM);
    told.info.si_code = SI_QUEUE;
    CHECK_OK(syscall(SYS_rt_sigqueueinfo, other, 0, &told));
    CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), other, 0, &told));
    // What the kernel does not know must not be longer than what it keeps.
    told.info.si_code = 12345;
    CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), me, 0, &told));
    told.bytes[127] = 1;
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, me, 0, &told), E2BIG);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), me, 0, &told), E2BIG);
    CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), other, 0, &told), E2BIG);
}

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK(getpgrp() == getpid() || setpgid(0, 0) == 0);
    spawn(wait_here, NULL);
    EVENTUALLY(waiting != 0);
    claims();
    by_descriptor();
    full_queue();
    if (geteuid() == 0) {
        pid_t child = fork();
        if (child == 0) {
            spawn(wait_here, NULL);
            as_another_user();
            exit(0);
        }
        CHECK_EQ(wait_child(child), 0);
    }
    return 0;
}
