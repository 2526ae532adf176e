// MSG_WAITALL waits for the whole of a stream's buffer, past several sends; the end and a signal cut it short.
#include "os/channel.h"

static void *send_in_pieces(void *arg) {
    for (int i = 0; i < 10; i++) {
        char piece[10];
        fill(piece, 10, i * 10);
        nap();
        CHECK_EQ(send(*(int *)arg, piece, 10, 0), 10);
    }
    return NULL;
}

static void *send_and_close(void *arg) {
    CHECK_EQ(send(*(int *)arg, "only", 4, 0), 4);
    nap();
    CHECK_OK(shutdown(*(int *)arg, SHUT_WR));
    return NULL;
}

int main(void) {
    void (*const opens[])(int *) = {open_stream, open_tcp};
    for (int i = 0; i < 2; i++) {
        int end[2];
        char data[200];
        opens[i](end);
        pthread_t t = spawn(send_in_pieces, &end[1]);
        CHECK_EQ(recv(end[0], data, 95, MSG_WAITALL), 95);
        check_filled(data, 95, 0);
        CHECK_EQ(recv(end[0], data, 200, 0), 5);
        join_thread(t);

        t = spawn(send_in_pieces, &end[1]);
        struct iovec parts[2] = {{data, 33}, {data + 33, 67}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        CHECK_EQ(recvmsg(end[0], &message, MSG_WAITALL), 100);
        check_filled(data, 100, 0);
        join_thread(t);

        // With MSG_PEEK and MSG_DONTWAIT it takes what is there.
        CHECK_EQ(send(end[1], "abc", 3, 0), 3);
        EVENTUALLY(recv(end[0], data, 10, MSG_WAITALL | MSG_DONTWAIT | MSG_PEEK) == 3);
        CHECK_EQ(recv(end[0], data, 10, MSG_WAITALL | MSG_DONTWAIT), 3);

        // A signal after some bytes: these are returned.
        CHECK_EQ(send(end[1], "abc", 3, 0), 3);
        on_signal(SIGUSR1, count_signal, 0);
        struct interrupter interrupter = {pthread_self(), 0};
        t = spawn(interrupt_until_done, &interrupter);
        ssize_t n;
        while ((n = recv(end[0], data, 10, MSG_WAITALL)) == -1)
            CHECK_EQ(errno, EINTR);
        CHECK_EQ(n, 3);
        CHECK_ERR(recv(end[0], data, 10, MSG_WAITALL), EINTR);
        interrupter.done = 1;
        join_thread(t);

        t = spawn(send_and_close, &end[1]);
        CHECK_EQ(recv(end[0], data, 200, MSG_WAITALL), 4);
        CHECK_EQ(recv(end[0], data, 200, MSG_WAITALL), 0);
        join_thread(t);
        close_both(end);
    }
    // On messages it has no effect.
    int end[2];
    char data[100];
    open_datagram(end);
    struct later later = {.fd = end[1], .data = "short", .len = 5};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(recv(end[0], data, 100, MSG_WAITALL), 5);
    join_thread(t);
    return 0;
}
