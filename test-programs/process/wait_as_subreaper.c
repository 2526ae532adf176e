// A subreaper's threads wait for grandchildren whose parents have gone.
#include "os/channel.h"
#include <sys/prctl.h>

int main(void) {
    int gate[2], tell[2];
    open_pipe(gate);
    open_pipe(tell);
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    pid_t pid = fork(), grandchild, got;
    CHECK_OK(pid);
    if (pid == 0) {
        grandchild = fork();
        if (grandchild == 0) {
            char c;
            CHECK_EQ(read(gate[0], &c, 1), 1);
            _exit(21);
        }
        CHECK_EQ(write(tell[1], &grandchild, sizeof grandchild), sizeof grandchild);
        _exit(20);
    }
    CHECK_EQ(read(tell[0], &grandchild, sizeof grandchild), sizeof grandchild);
    CHECK_EQ(wait_child(pid), 20 << 8);
    struct later later = {.fd = gate[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    int status;
    CHECK_OK(got = waitpid(-1, &status, 0));
    CHECK_EQ(got, grandchild);
    CHECK_EQ(status, 21 << 8);
    join_thread(t);
    return 0;
}
