// recvmmsg waits for its first message only with MSG_WAITFORONE, else for all; its timeout counts; sendmmsg sends all.
#include "os/channel.h"

enum { COUNT = 20 };

static char buffers[COUNT][32];
static struct iovec parts[COUNT];
static struct mmsghdr messages[COUNT];

static void prepare(void) {
    memset(messages, 0, sizeof messages);
    for (int i = 0; i < COUNT; i++) {
        parts[i] = (struct iovec){buffers[i], sizeof buffers[i]};
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static void send_slowly(int fd) {
    for (int i = 0; i < COUNT; i++) {
        if (i % 5 == 0)
            nap();
        char text[32];
        int n = snprintf(text, sizeof text, "message %d", i);
        CHECK_EQ(send(fd, text, n, 0), n);
    }
}

static void send_together(int fd) {
    static char texts[COUNT][32];
    static struct iovec out_parts[COUNT];
    struct mmsghdr out[COUNT];
    memset(out, 0, sizeof out);
    for (int i = 0; i < COUNT; i++) {
        out_parts[i] = (struct iovec){texts[i], snprintf(texts[i], 32, "message %d", i)};
        out[i].msg_hdr.msg_iov = &out_parts[i];
        out[i].msg_hdr.msg_iovlen = 1;
    }
    for (int sent = 0; sent < COUNT;) { // waits for room after the first ones
        int n = sendmmsg(fd, out + sent, COUNT - sent, 0);
        CHECK(n > 0);
        sent += n;
    }
}

static void check_messages(int first, int count) {
    for (int i = 0; i < count; i++) {
        char want[32];
        int n = snprintf(want, sizeof want, "message %d", first + i);
        CHECK_EQ(messages[i].msg_len, n);
        CHECK(memcmp(buffers[i], want, n) == 0);
    }
}

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    void (*const opens[])(int *) = {open_datagram, open_seqpacket, open_udp};
    for (int i = 0; i < 3; i++) {
        int end[2];
        opens[i](end);
        struct later later = {.fd = end[1], .act = send_slowly};
        pthread_t t = spawn(do_later, &later);
        prepare();
        CHECK_EQ(recvmmsg(end[0], messages, COUNT, 0, NULL), COUNT);
        check_messages(0, COUNT);
        join_thread(t);

        t = spawn(do_later, &later);
        for (int got = 0; got < COUNT;) {
            prepare();
            int n = recvmmsg(end[0], messages, COUNT, MSG_WAITFORONE, NULL);
            CHECK(n > 0);
            check_messages(got, n);
            got += n;
        }
        join_thread(t);

        later.act = send_together;
        t = spawn(do_later, &later);
        prepare();
        CHECK_EQ(recvmmsg(end[0], messages, COUNT, 0, NULL), COUNT);
        check_messages(0, COUNT);
        join_thread(t);

        prepare();
        CHECK_ERR(recvmmsg(end[0], messages, COUNT, MSG_DONTWAIT, NULL), EAGAIN);
        // The time is looked at after each message, so the one that comes after it ends the call.
        struct timespec limit = {.tv_nsec = 1000000};
        later = (struct later){.fd = end[1], .data = "message 0", .len = 9};
        t = spawn(do_later, &later);
        CHECK_EQ(recvmmsg(end[0], messages, COUNT, 0, &limit), 1);
        check_messages(0, 1);
        CHECK_EQ(limit.tv_sec, 0);
        join_thread(t);
        CHECK_ERR(recvmmsg(end[0], messages, 1, 0, &(struct timespec){.tv_nsec = -1}), EINVAL);

        // A signal after some messages: these are returned.
        send_slowly(end[1]);
        on_signal(SIGUSR1, count_signal, 0);
        struct interrupter interrupter = {pthread_self(), 0};
        t = spawn(interrupt_until_done, &interrupter);
        int got = 0, n;
        while (got < COUNT) {
            prepare();
            n = recvmmsg(end[0], messages, COUNT, 0, NULL);
            if (n == -1) {
                CHECK_EQ(errno, EINTR);
                continue;
            }
            got += n;
        }
        CHECK_EQ(got, COUNT);
        __atomic_store_n(&interrupter.done, 1, __ATOMIC_SEQ_CST);
        join_thread(t);
        close_both(end);
    }
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
