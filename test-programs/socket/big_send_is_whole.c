// A blocking send of a megabyte is sent whole, by each function, while another thread receives slowly; both ways at once.
#include "os/channel.h"

enum { SIZE = 1 << 20 };
static char *data;

static ssize_t send_by(int function, int fd) {
    struct iovec parts[3] = {{data, 10}, {data + 10, 500000}, {data + 500010, SIZE - 500010}};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = parts, .msg_iovlen = 3}};
    switch (function) {
    case 0:
        return send(fd, data, SIZE, 0);
    case 1:
        return sendmsg(fd, &message.msg_hdr, MSG_NOSIGNAL);
    case 2:
        CHECK_EQ(sendmmsg(fd, &message, 1, 0), 1);
        return message.msg_len;
    default:
        return sendto(fd, data, SIZE, MSG_MORE, NULL, 0);
    }
}

static void *receive(void *arg) {
    char *got = malloc(SIZE);
    CHECK(got != NULL);
    nap();
    for (size_t n = 0, step = 11; n < SIZE; step = step % 60000 + 1777) {
        ssize_t now = recv(*(int *)arg, got + n, step < SIZE - n ? step : SIZE - n, 0);
        CHECK(now > 0);
        n += now;
    }
    check_filled(got, SIZE, 4);
    free(got);
    return NULL;
}

static void *send_whole(void *arg) {
    CHECK_EQ(send_by(0, *(int *)arg), SIZE);
    return NULL;
}

int main(void) {
    CHECK((data = malloc(SIZE)) != NULL);
    fill(data, SIZE, 4);
    void (*const opens[])(int *) = {open_stream, open_tcp};
    for (int i = 0; i < 2; i++)
        for (int function = 0; function < 4; function++) {
            int end[2];
            opens[i](end);
            pthread_t back = spawn(send_whole, &end[0]), r0 = spawn(receive, &end[0]), r1 = spawn(receive, &end[1]);
            ssize_t n = send_by(function, end[1]);
            if (n != SIZE)
                CHECK_FAIL("function %d: %zd sent, errno %d", function, n, errno);
            if (function == 3) // MSG_MORE keeps the last segment back
                CHECK_OK(shutdown(end[1], SHUT_WR));
            join_thread(back);
            join_thread(r0);
            join_thread(r1);
            close_both(end);
        }
    return 0;
}
