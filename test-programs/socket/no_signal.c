// A send into a closed connection raises SIGPIPE in the sender unless MSG_NOSIGNAL says not to, through every function.
#include "os/channel.h"

static pthread_t handled_by;
static void on_pipe(int sig) {
    count_signal(sig);
    handled_by = pthread_self();
}

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void *send_into_closed(void *arg) {
    int fd = *(int *)arg;
    struct iovec part = {"x", 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    signals_seen = 0;
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(sendmsg(fd, &message.msg_hdr, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(sendmmsg(fd, &message, 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(signals_seen, 0);
    CHECK_ERR(send(fd, "x", 1, 0), EPIPE);
    CHECK_EQ(signals_seen, 1);
    CHECK(pthread_equal(handled_by, pthread_self()));
    CHECK_ERR(sendmsg(fd, &message.msg_hdr, 0), EPIPE);
    CHECK_EQ(signals_seen, 2);
    CHECK_ERR(write(fd, "x", 1), EPIPE);
    CHECK_EQ(signals_seen, 3);
    CHECK_ERR(writev(fd, &part, 1), EPIPE);
    CHECK_EQ(signals_seen, 4);
    return NULL;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    on_signal(SIGPIPE, on_pipe, 0);
    int end[2];
    open_stream(end);
    CHECK_OK(close(end[1]));
    send_into_closed(&end[0]);
    join_thread(spawn(send_into_closed, &end[0]));
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
