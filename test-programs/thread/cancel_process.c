// Cancellation in wait, waitpid, wait4, waitid and system runs cleanup handlers; the child can still be waited for, and system's is reaped.
#include "cancel.h"
#include <sys/resource.h>

static pid_t child;

static void in_wait(void) { wait(NULL); }
static void in_waitpid(void) { waitpid(child, NULL, 0); }
static void in_wait4(void) { wait4(child, NULL, 0, NULL); }
static void in_waitid(void) {
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED);
}
static void in_system(void) { (void)!system("exec sleep 3600"); }

static const struct cancel_point points[] = {
    {"wait", in_wait, NULL},   {"waitpid", in_waitpid, NULL}, {"wait4", in_wait4, NULL},
    {"waitid", in_waitid, NULL}, {"system", in_system, NULL},
};

int main(int argc, char **argv) {
    int ends[2];
    CHECK_OK(pipe(ends));
    child = fork();
    CHECK_OK(child);
    if (child == 0) {
        char c;
        close(ends[1]);
        (void)!read(ends[0], &c, 1);
        _exit(9);
    }
    CHECK_OK(close(ends[0]));
    CANCEL_EACH(points);
    CHECK_OK(close(ends[1]));
    int status = wait_child(child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 9);
    CHECK_ERR(wait(NULL), ECHILD);
    return 0;
}
