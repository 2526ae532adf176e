// Two hundred threads that each wait for a child of their own, by waitpid and by waitid, need no kernel threads, get the right status, and hear of EINTR and ECHILD.
#include "check.h"
#include <sys/resource.h>

enum { CHILDREN = 200 };
static int gate[2], waiting;

static void *wait_for_mine(void *arg) {
    long i = (long)arg;
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char c;
        close(gate[1]);
        read(gate[0], &c, 1);
        _exit((int)(i % 100));
    }
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    if (i % 3 == 0) {
        siginfo_t info;
        memset(&info, 0x55, sizeof info);
        CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
        CHECK_EQ(info.si_signo, SIGCHLD);
        CHECK_EQ(info.si_code, CLD_EXITED);
        CHECK_EQ(info.si_pid, pid);
        CHECK_EQ(info.si_status, i % 100);
    } else {
        struct rusage usage;
        int status;
        CHECK_EQ(syscall(SYS_wait4, pid, &status, 0, &usage), pid);
        CHECK_EQ(status, (i % 100) << 8);
    }
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
    return NULL;
}

static void on_signal(int signal) { (void)signal; }

static pid_t idle_child(void) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        for (;;)
            pause();
    }
    return pid;
}

static pid_t interrupted_pid;
static void *interrupted(void *arg) {
    (void)arg;
    int status;
    CHECK_ERR(waitpid(interrupted_pid, &status, 0), EINTR);
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    CHECK_EQ(waitpid(interrupted_pid, &status, 0), interrupted_pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return NULL;
}

int main(void) {
    CHECK_OK(pipe(gate));
    pthread_t threads[CHILDREN];
    int fds = open_fds();
    for (long i = 0; i < CHILDREN; i++)
        threads[i] = spawn(wait_for_mine, (void *)i);
    EVENTUALLY(__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == CHILDREN);
    sleep_ms(20);
    if (preloaded())
        CHECK_EQ(count_directory("/proc/self/task"), 1);
    CHECK_OK(close(gate[1]));
    for (int i = 0; i < CHILDREN; i++)
        join_thread(threads[i]);
    if (preloaded())
        CHECK_EQ(open_fds(), fds - 1);

    // A handler ends the wait, unless it asks for a restart.
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    interrupted_pid = idle_child();
    waiting = 0;
    pthread_t t = spawn(interrupted, NULL);
    // A signal that comes before the wait interrupts nothing.
    for (int i = 0; i < 20000 && __atomic_load_n(&waiting, __ATOMIC_SEQ_CST) == 0; i++) {
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        sleep_ms(1);
    }
    action.sa_flags = SA_RESTART;
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    for (int i = 0; i < 5; i++) {
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        sleep_ms(1);
    }
    CHECK_OK(kill(interrupted_pid, SIGKILL));
    join_thread(t);

    // A child that nobody needs to reap: the wait lasts until it ends.
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = idle_child();
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
    return 0;
}
