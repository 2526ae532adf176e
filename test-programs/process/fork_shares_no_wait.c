// Parent and child share descriptors, not waits: each sees the data, timers and closes that are its own.
#include "os/channel.h"

static void *read_one(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    return (void *)(intptr_t)c;
}

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        int end[2], own[2], up[2];
        char c;
        kinds[k].open(end);
        open_pipe(up);
        pthread_t t = spawn(read_one, &end[0]); // parked on it in the parent
        nap();
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            close_both(end); // in the child only
            kinds[k].open(own); // the same numbers
            struct later later = {.fd = own[1], .data = "c", .len = 1};
            pthread_t w = spawn(do_later, &later);
            CHECK_EQ(read(own[0], &c, 1), 1);
            CHECK_EQ(c, 'c');
            join_thread(w);
            CHECK_EQ(write(up[1], "d", 1), 1);
            _exit(0);
        }
        CHECK_EQ(read(up[0], &c, 1), 1);
        CHECK_EQ(wait_child(pid), 0);
        CHECK_EQ(write(end[1], "p", 1), 1);
        CHECK_EQ((intptr_t)join_thread(t), 'p');

        // Both read it: each byte goes to one of them.
        if (kinds[k].traits & IS_STREAM) {
            pid = fork();
            CHECK_OK(pid);
            if (pid == 0) {
                t = spawn(read_one, &end[0]);
                join_thread(t);
                _exit(0);
            }
            t = spawn(read_one, &end[0]);
            nap();
            CHECK_EQ(write(end[1], "ab", 2), 2);
            join_thread(t);
            CHECK_EQ(wait_child(pid), 0);
        }
        close_both(end);
        close_both(up);
    }
    return 0;
}
