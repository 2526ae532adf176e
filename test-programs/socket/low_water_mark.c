// SO_RCVLOWAT, with many descriptors allowed and with few: a receive waits for that many bytes, and poll reports a TCP socket readable only then.
#include "os/channel.h"
#include <sys/resource.h>
#include <sys/wait.h>

static void *send_slowly(void *arg) {
    // A receive over TCP that begins with some of the bytes waits for the mark once more, in Linux: it has to begin first.
    sleep_ms(100);
    for (int i = 0; i < 10; i++) {
        nap();
        CHECK_EQ(send(*(int *)arg, "x", 1, 0), 1);
    }
    return NULL;
}

static void receive_whole(void) {
    void (*const opens[])(int *) = {open_stream, open_tcp};
    for (int i = 0; i < 2; i++) {
        int end[2];
        char data[100];
        opens[i](end);
        CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_RCVLOWAT, &(int){10}, sizeof(int)));
        pthread_t t = spawn(send_slowly, &end[1]);
        CHECK_EQ(recv(end[0], data, 100, 0), 10);
        join_thread(t);
        t = spawn(send_slowly, &end[1]);
        CHECK_EQ(recv(end[0], data, 4, 0), 4); // no more than fits
        CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_RCVLOWAT, &(int){6}, sizeof(int)));
        if (i == 1) {
            struct pollfd p = {.fd = end[0], .events = POLLIN};
            CHECK_EQ(poll(&p, 1, -1), 1);
            CHECK_EQ(recv(end[0], data, 100, MSG_DONTWAIT), 6);
        } else {
            CHECK_EQ(recv(end[0], data, 100, 0), 6);
        }
        join_thread(t);
        close_both(end);
    }
}

int main(void) {
    // The mark counts as well where few descriptors are allowed.
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){16, 16}));
        receive_whole();
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    receive_whole();
    return 0;
}
