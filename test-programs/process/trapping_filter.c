// A filter that traps calls which the program never makes changes nothing for its threads' reads, writes and sockets; calls that it does make and traps come to its SIGSYS handler, which answers them.
#include "check.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <ucontext.h>

enum { ANSWER = 4711 };
// None of them is made by read, write, recv and send of libc.
static const int never_made[] = {SYS_preadv2, SYS_pwritev2, SYS_getsockopt};
static int wrong, answered;

static void on_trap(int sig, siginfo_t *info, void *context) {
    (void)sig;
    if (info->si_syscall != SYS_getppid && info->si_syscall != SYS_openat)
        wrong = info->si_syscall;
    answered++;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = ANSWER;
}

static void trap(void) {
    struct sock_filter filter[16] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short length = 1;
    int calls[] = {never_made[0], never_made[1], never_made[2], SYS_getppid, SYS_openat};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){length, filter}));
}

static int ends[2], sockets[2];

static void *echo(void *arg) {
    char c;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(read(ends[0], &c, 1), 1);
        CHECK_EQ(send(sockets[0], &c, 1, 0), 1);
    }
    return arg;
}

static void *make_trapped(void *arg) {
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(getppid(), ANSWER);
        CHECK_EQ(open("/dev/null", O_RDONLY), ANSWER);
        sched_yield();
    }
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGSYS, &sa, NULL));
    trap();
    // Kernel threads made from here on have the filter.
    pthread_t echoer = spawn(echo, NULL), other = spawn(make_trapped, NULL);
    for (int i = 0; i < 20; i++) {
        char c = (char)('a' + i), back = 0;
        CHECK_EQ(write(ends[1], &c, 1), 1);
        CHECK_EQ(recv(sockets[1], &back, 1, 0), 1);
        CHECK_EQ(back, c);
    }
    join_thread(echoer);
    join_thread(other);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(answered, 10);
    return 0;
}
