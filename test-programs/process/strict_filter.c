// Threads read, write, poll, sleep and wait for each other under a filter that ends the process at any call but those that they make themselves and those that the README says are needed; put on before the first thread, or with threads there.
#include "check.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

static const int of_threads[] = {SYS_read, SYS_write, SYS_poll, SYS_futex, SYS_nanosleep, SYS_clock_nanosleep, SYS_clone,
                                 SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_exit, SYS_exit_group, SYS_mmap, SYS_munmap,
                                 SYS_mprotect, SYS_madvise, SYS_brk, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn,
                                 SYS_tgkill, SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_clock_gettime, SYS_getrandom, SYS_close, -1};
static const int needed[] = {SYS_epoll_wait, SYS_epoll_ctl, SYS_fcntl, SYS_fstat, -1};
static const int needed_to_begin[] = {SYS_epoll_create1, SYS_eventfd2, SYS_dup, -1};

static unsigned short allow(struct sock_filter *filter, unsigned short length, const int *calls) {
    for (; *calls >= 0; calls++) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*calls, 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    return length;
}

static void put_on(int beginning) {
    struct sock_filter filter[128] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short length = allow(filter, 1, of_threads);
    length = allow(filter, length, needed);
    if (beginning)
        length = allow(filter, length, needed_to_begin);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    // How programs ask whether there are filters.
    CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    struct sock_fprog program = {length, filter};
    if (beginning)
        CHECK_OK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
    else
        CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static int pipes[2][2], sockets[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turns;

static void *echo(void *arg) {
    char c;
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(read(pipes[0][0], &c, 1), 1);
        CHECK_EQ(write(pipes[1][1], &c, 1), 1);
        CHECK_EQ(read(sockets[0], &c, 1), 1);
        CHECK_EQ(write(sockets[0], &c, 1), 1);
    }
    return arg;
}

static void *take_turns(void *arg) {
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    turns++;
    CHECK_EQ(pthread_cond_broadcast(&condition), 0);
    while (turns < 3)
        CHECK_EQ(pthread_cond_wait(&condition, &mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return arg;
}

static void *fill(void *arg) {
    static char bytes[300000];
    CHECK_EQ(write(pipes[1][1], bytes, sizeof bytes), sizeof bytes);
    return arg;
}

static void *idle(void *arg) {
    return arg;
}

static void drain(void) {
    static char bytes[4096];
    for (size_t left = 300000; left > 0;) {
        ssize_t got = read(pipes[1][0], bytes, sizeof bytes);
        CHECK(got > 0);
        left -= (size_t)got;
    }
}

static void under_filter(int beginning) {
    CHECK_OK(pipe(pipes[0]));
    CHECK_OK(pipe(pipes[1]));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    if (!beginning)
        join_thread(spawn(idle, NULL));
    put_on(beginning);
    pthread_t echoer = spawn(echo, NULL), players[3];
    for (int i = 0; i < 3; i++)
        players[i] = spawn(take_turns, NULL);
    for (int i = 0; i < 10; i++) {
        char c = (char)('a' + i), back = 0;
        CHECK_EQ(write(pipes[0][1], &c, 1), 1);
        struct pollfd poll_it = {pipes[1][0], POLLIN, 0};
        CHECK_EQ(poll(&poll_it, 1, -1), 1);
        CHECK_EQ(read(pipes[1][0], &back, 1), 1);
        CHECK_EQ(back, c);
        CHECK_EQ(write(sockets[1], &c, 1), 1);
        CHECK_EQ(read(sockets[1], &back, 1), 1);
        CHECK_EQ(back, c);
        CHECK_OK(nanosleep(&(struct timespec){0, 100000}, NULL));
    }
    join_thread(echoer);
    for (int i = 0; i < 3; i++)
        join_thread(players[i]);
    pthread_t filler = spawn(fill, NULL);
    drain();
    join_thread(filler);
}

int main(void) {
    for (int beginning = 0; beginning < 2; beginning++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            under_filter(beginning);
            _exit(0);
        }
        int status = wait_child(pid);
        if (status != 0)
            CHECK_FAIL("%s: status %d", beginning ? "put on before the first thread" : "put on later", status);
    }
    return 0;
}
