// Messages of length zero arrive as such; a read of zero bytes from a socket takes none of them and doesn't wait.
#include "os/channel.h"

static void send_empty(int fd) { CHECK_EQ(send(fd, NULL, 0, 0), 0); }

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    void (*const opens[])(int *) = {open_datagram, open_udp};
    for (int i = 0; i < 2; i++) {
        int end[2];
        char data[100];
        opens[i](end);
        struct later later = {.fd = end[1], .act = send_empty};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(recv(end[0], data, 100, 0), 0);
        join_thread(t);
        t = spawn(do_later, &later);
        CHECK_EQ(read(end[0], data, 100), 0);
        join_thread(t);

        CHECK_EQ(send(end[1], "message", 7, 0), 7);
        CHECK_EQ(read(end[0], data, 0), 0);
        CHECK_EQ(read(end[0], data, 100), 7);
        CHECK_EQ(read(end[0], data, 0), 0);
        CHECK_ERR(recv(end[0], data, 100, MSG_DONTWAIT), EAGAIN);

        // recv with no room does take one.
        CHECK_EQ(send(end[1], "message", 7, 0), 7);
        CHECK_EQ(recv(end[0], NULL, 0, 0), 0);
        CHECK_ERR(recv(end[0], data, 100, MSG_DONTWAIT), EAGAIN);
        t = spawn(do_later, &later);
        CHECK_EQ(recv(end[0], data, 0, 0), 0);
        join_thread(t);
        close_both(end);
    }
    int end[2];
    char data[4];
    open_tcp(end);
    CHECK_EQ(read(end[0], data, 0), 0);
    CHECK_EQ(write(end[0], data, 0), 0);
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(recv(end[0], data, 0, 0), 0); // waits for data, and takes none
    CHECK_EQ(recv(end[0], data, 1, MSG_DONTWAIT), 1);
    join_thread(t);
    open_pipe(end);
    CHECK_EQ(read(end[0], data, 0), 0);
    CHECK_EQ(write(end[1], data, 0), 0);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
