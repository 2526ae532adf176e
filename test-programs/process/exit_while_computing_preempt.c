// exit by one thread ends the process while another computes for ever.
#include "os/channel.h"

static void *compute(void *arg) {
    for (volatile long n = 0;; n++)
        (void)arg;
    return NULL;
}

int main(void) {
    for (int form = 0; form < 2; form++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            spawn(compute, NULL);
            nap();
            if (form == 0)
                exit(5);
            _exit(6);
        }
        CHECK_EQ(wait_child(pid), (5 + form) << 8);
    }
    return 0;
}
