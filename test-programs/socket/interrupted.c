// Signal handlers and sockets: EINTR without SA_RESTART, the call goes on with it, partial sends count.
#include "os/channel.h"

static pthread_t main_thread;

static void *signal_then_send(void *arg) {
    for (int i = 0; i < 3; i++) {
        nap();
        CHECK_RC(pthread_kill(main_thread, SIGUSR1), 0);
    }
    EVENTUALLY(signals_seen > 0);
    CHECK_EQ(send(*(int *)arg, "data", 4, 0), 4);
    return NULL;
}

int main(void) {
    main_thread = pthread_self();
    static char big[1 << 20];
    for (int k = 0; k < KINDS; k++) {
        if (!(kinds[k].traits & IS_SOCKET))
            continue;
        int end[2];
        char data[16];
        struct iovec part = {data, 16};
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
        kinds[k].open(end);
        CHECK_INTERRUPTED(recv(end[0], data, 16, 0));
        CHECK_INTERRUPTED(recvfrom(end[0], data, 16, MSG_PEEK, NULL, NULL));
        CHECK_INTERRUPTED(recvmsg(end[0], &message.msg_hdr, 0));
        CHECK_INTERRUPTED(recvmmsg(end[0], &message, 1, 0, NULL));

        // A time-out set on the socket makes even a restartable call end.
        on_signal(SIGUSR1, count_signal, SA_RESTART);
        struct timeval minute = {.tv_sec = 60};
        CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute));
        struct interrupter interrupter = {pthread_self(), 0};
        pthread_t t = spawn(interrupt_until_done, &interrupter);
        CHECK_ERR(recv(end[0], data, 16, 0), EINTR);
        __atomic_store_n(&interrupter.done, 1, __ATOMIC_SEQ_CST);
        join_thread(t);
        CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0}, sizeof minute));

        signals_seen = 0;
        t = spawn(signal_then_send, &end[1]);
        CHECK_EQ(recv(end[0], data, 16, 0), 4);
        join_thread(t);

        if (kinds[k].traits & IS_STREAM) {
            on_signal(SIGUSR1, count_signal, 0);
            interrupter.done = 0;
            t = spawn(interrupt_until_done, &interrupter);
            ssize_t n = send(end[1], big, sizeof big, 0);
            CHECK(n < (ssize_t)sizeof big);
            for (int i = 0; i < 100 && n != -1; i++)
                n = send(end[1], big, sizeof big, 0);
            CHECK_EQ(n, -1);
            CHECK_EQ(errno, EINTR);
            __atomic_store_n(&interrupter.done, 1, __ATOMIC_SEQ_CST);
            join_thread(t);
        }
        close_both(end);
    }
    return 0;
}
