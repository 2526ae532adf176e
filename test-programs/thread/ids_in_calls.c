// A thread's id where a call takes that of a thread or a process: capget and capset, kcmp, move_pages, migrate_pages, setpgid, pidfd_open, ptrace, and files below /proc.
#include "check.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <semaphore.h>
#include <sys/ptrace.h>

static sem_t go;
static pid_t sleeper;

static void *sleeps(void *arg) {
    __atomic_store_n(&sleeper, gettid(), __ATOMIC_SEQ_CST);
    CHECK_OK(sem_wait(&go));
    return arg;
}

static void capabilities(pid_t tid, int own) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, tid};
    struct __user_cap_data_struct theirs[2], mine[2];
    CHECK_OK(syscall(SYS_capget, &header, theirs));
    header.pid = 0;
    CHECK_OK(syscall(SYS_capget, &header, mine));
    CHECK(memcmp(theirs, mine, sizeof mine) == 0);
    header.pid = tid;
    if (own)
        CHECK_OK(syscall(SYS_capset, &header, mine));
    else
        CHECK_ERR(syscall(SYS_capset, &header, mine), EPERM);
    CHECK_EQ(header.pid, tid);
    CHECK_ERR(syscall(SYS_capget, &header, (void *)8), EFAULT);
    header.version = 5;
    CHECK_ERR(syscall(SYS_capget, &header, mine), EINVAL);
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.version = 5;
    CHECK_ERR(syscall(SYS_capset, &header, mine), EINVAL);
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
}

static void files(pid_t tid) {
    char path[64], text[64];
    const char *forms[] = {"/proc/%d/%s", "/proc/self/task/%d/%s"};
    for (unsigned form = 0; form < 2; form++) {
        snprintf(path, sizeof path, forms[form], tid, "cmdline");
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK_OK(fd);
        CHECK(read(fd, text, sizeof text) > 0);
        CHECK_OK(close(fd));
        snprintf(path, sizeof path, forms[form], tid, "nothing");
        CHECK_ERR(open(path, O_RDONLY), ENOENT);
        snprintf(path, sizeof path, forms[form], tid, "fd");
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK_OK(fd);
        CHECK_OK(close(fd));
    }
}

static void look(pid_t tid, int own) {
    capabilities(tid, own);
    files(tid);
    CHECK_ERR(syscall(SYS_ptrace, PTRACE_ATTACH, tid, 0, 0), EPERM);
    CHECK_ERR(syscall(SYS_ptrace, PTRACE_SEIZE, tid, 0, 0), EPERM);
    CHECK_OK(syscall(SYS_kcmp, tid, getpid(), KCMP_VM, 0, 0));
    CHECK_OK(syscall(SYS_kcmp, getpid(), tid, KCMP_FILES, 0, 0));
    int status = -1;
    void *page = &status;
    CHECK_OK(syscall(SYS_move_pages, tid, 1, &page, NULL, &status, 0));
    CHECK_EQ(status, 0);
    unsigned long from = 1, to = 1;
    CHECK_OK(syscall(SYS_migrate_pages, tid, 8 * sizeof from, &from, &to));
    CHECK_ERR(setpgid(tid, 0), EINVAL);
    CHECK(syscall(SYS_pidfd_open, tid, 0) == -1 && (errno == EINVAL || errno == ENOENT));
}

static void *caller(void *arg) {
    look(gettid(), 1);
    look(sleeper, 0);
    CHECK_ERR(syscall(SYS_kcmp, gettid(), 0x3ffffffe, KCMP_VM, 0, 0), ESRCH);
    CHECK_ERR(setpgid(0x3ffffffe, 0), ESRCH);
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&go, 0, 0));
    pthread_t waiter = spawn(sleeps, NULL);
    EVENTUALLY(__atomic_load_n(&sleeper, __ATOMIC_SEQ_CST) != 0);
    look(sleeper, 0);
    capabilities(getpid(), 1);
    join_thread(spawn(caller, NULL));
    CHECK_OK(sem_post(&go));
    join_thread(waiter);
    return 0;
}
