// While a thread waits in a read, write or accept, another process that shares the description sees it blocking, as it
// is; and so it stays when the waiting process is killed.
#include "os/channel.h"

static int answer;

static void *wait_in_read(void *arg) {
    char data[64];
    return (void *)(intptr_t)read(*(int *)arg, data, sizeof data);
}

static void *wait_in_write(void *arg) {
    static char big[1 << 20];
    return (void *)(intptr_t)write(*(int *)arg, big, sizeof big);
}

static void *wait_in_accept(void *arg) { return (void *)(intptr_t)accept(*(int *)arg, NULL, NULL); }

// In the child: waits on the description in a thread of its own until it is killed.
static void wait_for_ever(void *(*wait)(void *), int fd, int from_main) {
    if (from_main) {
        static int gate[2];
        open_pipe(gate);
        spawn(wait_in_read, &gate[0]);
        CHECK_EQ(write(answer, "r", 1), 1);
        wait(&fd);
    } else {
        spawn(wait, &fd);
        nap();
        CHECK_EQ(write(answer, "r", 1), 1);
        for (;;)
            pause();
    }
    _exit(1);
}

static void check_shared(const char *name, void *(*wait)(void *), int fd, int from_main) {
    int before = fcntl(fd, F_GETFL), up[2];
    CHECK_EQ(before & O_NONBLOCK, 0);
    open_pipe(up);
    answer = up[1];
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        wait_for_ever(wait, fd, from_main);
    char c;
    CHECK_EQ(read(up[0], &c, 1), 1);
    for (int i = 0; i < 20; i++) {
        if (fcntl(fd, F_GETFL) != before)
            CHECK_FAIL("%s: flags are 0%o while a process waits, were 0%o", name, fcntl(fd, F_GETFL), before);
        sleep_ms(1);
    }
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_EQ(wait_child(pid), SIGKILL);
    if (fcntl(fd, F_GETFL) != before)
        CHECK_FAIL("%s: flags are 0%o after a process was killed, were 0%o", name, fcntl(fd, F_GETFL), before);
    close_both(up);
}

int main(void) {
    for (int from_main = 0; from_main < 2; from_main++) {
        for (int k = 0; k < KINDS; k++) {
            int end[2];
            kinds[k].open(end);
            check_shared(kinds[k].name, wait_in_read, end[0], from_main);
            if (kinds[k].traits & IS_STREAM)
                check_shared(kinds[k].name, wait_in_write, end[1], from_main);
            close_both(end);
        }
        struct sockaddr_in addr;
        int listener = tcp_listener(&addr);
        check_shared("listener", wait_in_accept, listener, from_main);
        CHECK_OK(close(listener));
    }
    return 0;
}
