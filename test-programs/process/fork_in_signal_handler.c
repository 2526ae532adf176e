// fork from a signal handler that interrupts a parked read: parent and child both finish it.
#include "os/channel.h"

static int end[2], up[2];
static volatile pid_t child = -1;

static void fork_now(int sig) {
    (void)sig;
    int error = errno;
    if (child == -1)
        child = fork();
    errno = error;
}

static void *stay_parked(void *arg) {
    char c;
    read(*(int *)arg, &c, 1);
    return NULL;
}

static void *signal_main(void *arg) {
    char c;
    nap();
    CHECK_RC(pthread_kill(*(pthread_t *)arg, SIGUSR1), 0);
    CHECK_EQ(read(up[0], &c, 1), 1); // the child has its byte
    CHECK_EQ(write(end[1], "p", 1), 1);
    return NULL;
}

int main(void) {
    int gate[2];
    char c;
    open_pipe(gate);
    open_pipe(end);
    open_pipe(up);
    spawn(stay_parked, &gate[0]);
    pthread_t main_thread = pthread_self(), t = spawn(signal_main, &main_thread);
    on_signal(SIGUSR1, fork_now, 0);
    ssize_t n = read(end[0], &c, 1);
    if (n == -1) {
        CHECK_EQ(errno, EINTR);
        CHECK(child != -1);
        if (child == 0) {
            int own[2];
            open_pipe(own);
            struct later later = {.fd = own[1], .data = "c", .len = 1};
            pthread_t w = spawn(do_later, &later);
            CHECK_EQ(read(own[0], &c, 1), 1);
            join_thread(w);
            CHECK_EQ(write(up[1], "u", 1), 1);
            _exit(6);
        }
        n = read(end[0], &c, 1);
    }
    CHECK_EQ(n, 1);
    CHECK_EQ(c, 'p');
    join_thread(t);
    CHECK_EQ(wait_child(child), 6 << 8);
    return 0;
}
