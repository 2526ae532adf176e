// Other programs of this collection pass under a filter that forbids system calls that old kernels or containers don't have, or that ends the process at calls that lists of what is allowed leave out.
#include "check.h"
#include <libgen.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum { FACCESSAT2 = 439, PROCESS_MADVISE = 440, EPOLL_PWAIT2 = 441, FUTEX_WAITV = 449 };
// As before Linux 5.3; sandboxes refuse unknown calls so.
static const int new_calls[] = {SYS_rseq, SYS_clone3, SYS_pidfd_open, FACCESSAT2, EPOLL_PWAIT2, FUTEX_WAITV, 0};
static const int other_processes[] = {SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_ptrace, 0};

// In hardly any list of what is allowed that was made some years ago; such lists end the process.
static const int unlisted[] = {SYS_pkey_alloc, SYS_pkey_free, PROCESS_MADVISE, 0};
enum { END = 0 };

static void forbid(const int *calls, int error) {
    unsigned refusal = error == END ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | (unsigned)error;
    struct sock_filter filter[64] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    unsigned short length = 1;
    for (; *calls != 0; calls++) {
        filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*calls, 0, 1);
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, refusal);
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){length, filter}));
}

static void run_under(const int *calls, int error, const char *name) {
    char self[2048], path[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK_OK(length);
    self[length] = '\0';
    snprintf(path, sizeof path, "%s/../%s", dirname(self), name);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        forbid(calls, error);
        execl(path, path, (char *)NULL);
        CHECK_FAIL("%s cannot be executed (errno %d)", path, errno);
    }
    int status = wait_child(pid);
    if (status != 0 && status != 77 << 8)
        CHECK_FAIL("%s under the filter for %d: status %d", name, calls[0], status);
}

int main(void) {
    const char *const with_old[] = {"process/inherit_scheduling", "signal/pending_before_threads", "process/spawn_and_exec",
                                    "thread/futex_wait_wake", "thread/create_join", "select/epoll_pwait_masks"};
    for (size_t i = 0; i < sizeof with_old / sizeof *with_old; i++) {
        run_under(new_calls, ENOSYS, with_old[i]);
        run_under(new_calls + 2, EPERM, with_old[i]); // libc itself needs ENOSYS of clone3
        run_under(unlisted, END, with_old[i]);
    }
    const char *const without_others[] = {"guest/files", "guest/sleeps", "signal/kill_target"};
    for (size_t i = 0; i < sizeof without_others / sizeof *without_others; i++)
        run_under(other_processes, EPERM, without_others[i]);
    return 0;
}
