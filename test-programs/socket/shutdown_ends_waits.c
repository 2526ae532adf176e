// shutdown by another thread ends the waits on a socket: readers get the end, a waiting writer EPIPE; half-closed works.
#include "os/channel.h"

static void shut_read(int fd) { CHECK_OK(shutdown(fd, SHUT_RD)); }
static void shut_write(int fd) { CHECK_OK(shutdown(fd, SHUT_WR)); }
static void shut_both(int fd) { CHECK_OK(shutdown(fd, SHUT_RDWR)); }

static void *read_to_end(void *arg) {
    char data[16];
    return (void *)(intptr_t)read(*(int *)arg, data, sizeof data);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    static char big[1 << 20];
    void (*const opens[])(int *) = {open_stream, open_seqpacket, open_tcp};
    for (int i = 0; i < 3; i++) {
        int end[2];
        char data[16];
        void (*const acts[])(int) = {shut_read, shut_both};
        for (int a = 0; a < 2; a++) { // on its own socket
            opens[i](end);
            struct later later = {.fd = end[0], .act = acts[a]};
            pthread_t t = spawn(do_later, &later), second = spawn(read_to_end, &end[0]);
            CHECK_EQ(recv(end[0], data, 16, 0), 0);
            CHECK_EQ((intptr_t)join_thread(second), 0); // everybody who waited
            join_thread(t);
            CHECK_EQ(recv(end[0], data, 16, 0), 0);
            close_both(end);
        }
        // Of the peer: half closed, the other way still works.
        opens[i](end);
        struct later later = {.fd = end[1], .act = shut_write};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(recv(end[0], data, 16, 0), 0);
        join_thread(t);
        later = (struct later){.fd = end[0], .data = "still", .len = 5};
        t = spawn(do_later, &later);
        CHECK_EQ(recv(end[1], data, 16, 0), 5);
        join_thread(t);
        CHECK_ERR(send(end[1], "x", 1, 0), EPIPE);
        close_both(end);

        if (i != 1) { // a writer that waits
            opens[i](end);
            later = (struct later){.fd = end[1], .act = shut_both};
            t = spawn(do_later, &later);
            ssize_t n = send(end[1], big, sizeof big, MSG_NOSIGNAL);
            CHECK(n < (ssize_t)sizeof big);
            if (n == -1)
                CHECK_EQ(errno, EPIPE);
            CHECK_ERR(send(end[1], big, 1, MSG_NOSIGNAL), EPIPE);
            join_thread(t);
            close_both(end);
        }
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0), end[2];
    CHECK_ERR(shutdown(fd, SHUT_RD), ENOTCONN);
    CHECK_ERR(shutdown(12345, SHUT_RD), EBADF);
    open_stream(end);
    CHECK_ERR(shutdown(end[0], 17), EINVAL);
    return 0;
}
