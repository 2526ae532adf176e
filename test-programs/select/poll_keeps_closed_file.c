// Closing a descriptor that another thread polls: as in Linux the wait goes on, on the file that it began with.
// shows closed: poll
#include "os/channel.h"

static pid_t tid;

static void *poll_it(void *arg) {
    struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};
    about_to_block(&tid);
    CHECK_EQ(poll(&p, 1, -1), 1);
    return (void *)(intptr_t)p.revents;
}

int main(void) {
    void (*const opens[])(int *) = {open_pipe, open_stream, open_tcp};
    for (int i = 0; i < 3; i++) {
        int end[2], fresh[2], spare, number;
        opens[i](end);
        number = end[0];
        tid = 0;
        pthread_t t = spawn(poll_it, &number);
        await_blocked(&tid);
        CHECK_OK(spare = dup(end[0]));
        open_stream(fresh);
        CHECK_OK(dup2(fresh[0], number)); // closes it
        CHECK_EQ(write(fresh[1], "x", 1), 1); // not what it waits for
        nap();
        CHECK_EQ(write(end[1], "x", 1), 1);
        CHECK_EQ((intptr_t)join_thread(t), POLLIN);
        close_both(fresh);
        CHECK_OK(close(spare));
        CHECK_OK(close(number));
        CHECK_OK(close(end[1]));
    }
    return 0;
}
