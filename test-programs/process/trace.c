// The stops of a traced child end waits that ask for its end only: it asks to be traced, or is seized, while they wait already.
#include "os/channel.h"
#include <sys/ptrace.h>

static int go[2];

static void let_go(int fd) { CHECK_EQ(write(fd, "x", 1), 1); }

static pid_t child_that(void (*act)(void)) {
    CHECK_OK(pipe(go));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char byte;
        CHECK_OK(close(go[1]));
        CHECK(read(go[0], &byte, 1) >= 0);
        act();
        _exit(7);
    }
    return pid;
}

static void asks_and_stops(void) {
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
        _exit(77);
    raise(SIGUSR1);
}
static void ends(void) {}

// What a wait for `pid` tells, as a status of waitpid. Forms 0 and 1 wait for that child only.
static int wait_status(int form, pid_t pid) {
    int status;
    siginfo_t info = {0};
    switch (form) {
    case 0:
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        return status;
    case 1:
        CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
        break;
    default:
        CHECK_EQ(waitpid(-1, &status, 0), pid);
        return status;
    }
    CHECK_EQ(info.si_pid, pid);
    return info.si_code == CLD_TRAPPED ? info.si_status << 8 | 0x7f : info.si_status << 8;
}

static void asked(int form) {
    pid_t pid = child_that(asks_and_stops);
    struct later later = {.fd = go[1], .act = let_go};
    pthread_t t = spawn(do_later, &later);
    int status = wait_status(form, pid);
    join_thread(t);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        SKIP("no ptrace here");
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(WSTOPSIG(status), SIGUSR1);
    CHECK_OK(ptrace(PTRACE_CONT, pid, NULL, NULL));
    status = wait_status(form, pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
}

struct seized {
    pid_t pid, tid;
    int form, status;
};
static void *waits(void *arg) {
    struct seized *s = arg;
    about_to_block(&s->tid);
    s->status = wait_status(s->form, s->pid);
    return NULL;
}

static void seized(int form) {
    struct seized s = {.form = form, .pid = child_that(ends)};
    pthread_t t = spawn(waits, &s);
    await_blocked(&s.tid);
    CHECK_OK(ptrace(PTRACE_SEIZE, s.pid, NULL, NULL));
    CHECK_OK(ptrace(PTRACE_INTERRUPT, s.pid, NULL, NULL));
    join_thread(t);
    CHECK(WIFSTOPPED(s.status));
    CHECK_EQ(WSTOPSIG(s.status), SIGTRAP);
    CHECK_OK(ptrace(PTRACE_CONT, s.pid, NULL, NULL));
    let_go(go[1]);
    int status = wait_status(form, s.pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 7);
}

int main(void) {
    for (int form = 0; form < 3; form++) {
        asked(form);
        seized(form);
    }
    return 0;
}
