// A handler interrupts wait, waitpid, wait4 and waitid with EINTR; with SA_RESTART they go on until the child ends.
#include "eintr.h"

static pid_t child;
static int ends[2];

static void make_child(void) {
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    child = fork();
    CHECK_OK(child);
    if (child == 0) {
        char c;
        close(ends[1]);
        (void)!read(ends[0], &c, 1);
        _exit(0);
    }
    CHECK_OK(close(ends[0]));
}
static void end_child(void) { CHECK_OK(close(ends[1])); }

static int done(int rc) {
    int error = EINTR_RESULT(rc);
    if (error == EINTR) {
        end_child();
        CHECK_EQ(wait_child(child), 0);
    }
    return error;
}
static int in_wait(void) { return done((make_child(), wait(NULL))); }
static int in_waitpid(void) { return done((make_child(), waitpid(child, NULL, 0))); }
static int in_wait4(void) { return done((make_child(), wait4(-1, NULL, 0, NULL))); }
static int in_waitid(void) {
    siginfo_t info;
    make_child();
    return done(waitid(P_PID, (id_t)child, &info, WEXITED));
}

static const struct eintr_point points[] = {
    {"wait", in_wait, end_child, RESTARTED},
    {"waitpid", in_waitpid, end_child, RESTARTED},
    {"wait4", in_wait4, end_child, RESTARTED},
    {"waitid", in_waitid, end_child, RESTARTED},
};

int main(int argc, char **argv) {
    EINTR_EACH(points);
    CHECK_ERR(wait(NULL), ECHILD);
    return 0;
}
