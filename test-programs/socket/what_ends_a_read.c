// After a read of less than it asked for, the next gets what stands behind: urgent data, an end, an error, a packet.
#include "os/channel.h"
#include <semaphore.h>

static int in, out;
static sem_t emptied;

static void send_all(const char *text, int flags) { CHECK_EQ(send(out, text, strlen(text), flags), strlen(text)); }

static void send_with_descriptor(const char *text) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {(void *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &(int){2}, sizeof(int));
    CHECK_EQ(sendmsg(out, &message, 0), strlen(text));
}

static void urgent(void) {
    send_all("abc", 0);
    send_all("!", MSG_OOB);
    send_all("def", 0);
}

static void ended(void) {
    send_all("abcdef", 0);
    CHECK_OK(shutdown(out, SHUT_WR));
}

static void was_reset(void) {
    send_all("abcdef", 0);
    struct linger at_once = {1, 0};
    CHECK_OK(setsockopt(out, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
    CHECK_OK(close(out));
}

static void carries(void) {
    send_all("ab", 0);
    send_with_descriptor("c");
    send_all("def", 0);
}

static void packets(void) {
    CHECK_OK(fcntl(out, F_SETFL, O_DIRECT));
    CHECK_EQ(write(out, "abc", 3), 3);
    CHECK_EQ(write(out, "def", 3), 3);
}

static void *burst(void *what) {
    nap();
    CHECK_EQ(write(out, "0", 1), 1);
    CHECK_OK(sem_wait(&emptied));
    ((void (*)(void))what)();
    return NULL;
}

// Reads the six bytes, whatever the pieces.
static void read_six(char *got, int urgent_after) {
    for (int have = 0; have < 6;) {
        char piece[100];
        ssize_t n = read(in, piece, sizeof piece);
        CHECK(n > 0 && have + n <= 6);
        memcpy(got + have, piece, n);
        have += n;
        if (have == urgent_after) {
            char mark;
            EVENTUALLY(recv(in, &mark, 1, MSG_OOB) == 1);
            CHECK_EQ(mark, '!');
        }
    }
}

static void check(void (*open)(int *), void (*what)(void), int urgent_after, int end) {
    int ends[2];
    open(ends);
    in = ends[0], out = ends[1];
    pthread_t t = spawn(burst, (void *)what);
    char first[100], got[6];
    // Less than asked for: all there was.
    CHECK_EQ(read(in, first, sizeof first), 1);
    CHECK_OK(sem_post(&emptied));
    read_six(got, urgent_after);
    CHECK(memcmp(got, "abcdef", 6) == 0);
    if (end == 0)
        CHECK_EQ(read(in, first, sizeof first), 0);
    if (end > 0) {
        CHECK_EQ(read(in, first, sizeof first), -1);
        CHECK_EQ(errno, end);
    }
    join_thread(t);
    close(in);
    close(out);
}

int main(void) {
    CHECK_OK(sem_init(&emptied, 0, 0));
    check(open_tcp, urgent, 0, -1);
    check(open_tcp, urgent, 3, -1);
    check(open_stream, urgent, 3, -1);
    check(open_tcp, ended, 0, 0);
    check(open_stream, ended, 0, 0);
    check(open_tcp, was_reset, 0, ECONNRESET);
    check(open_stream, carries, 0, -1);
    check(open_pipe, packets, 0, -1);
    return 0;
}
