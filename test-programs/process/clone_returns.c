// clone() of a process on a stack of its own: the child's function returns, its status is what it returned, and the parent waits.
#include "check.h"

static char stack[64 << 10] __attribute__((aligned(16)));

static int seven(void *arg) {
    return *(int *)arg;
}

int main(void) {
    static const int flags[] = {0, CLONE_FS, CLONE_FILES, CLONE_IO, CLONE_SYSVSEM, CLONE_VM, CLONE_VM | CLONE_VFORK, CLONE_VM | CLONE_FS | CLONE_FILES};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        int value = 7 + (int)i, status = -1;
        pid_t child = clone(seven, stack + sizeof stack, flags[i] | SIGCHLD, &value);
        CHECK(child > 0);
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), value);
    }
    puts("ok");
    return 0;
}
