// A thread waits in recvmsg for a descriptor; the one that comes is waited on and closed like any other.
#include "os/channel.h"

static void send_fds(int socket_fd, const int *fds, int count) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    struct iovec part = {"f", 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    CHECK_EQ(sendmsg(socket_fd, &message, 0), 1);
}

static int receive_fds(int socket_fd, int *fds, int room, int flags) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control = {0};
    char c;
    struct iovec part = {&c, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(room * sizeof(int))};
    CHECK_EQ(recvmsg(socket_fd, &message, flags), 1);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL);
    CHECK_EQ(header->cmsg_type, SCM_RIGHTS);
    int count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    return message.msg_flags & MSG_CTRUNC ? -count : count;
}

static int sent_end[2];

static void send_two(int fd) { send_fds(fd, sent_end, 2); }

int main(void) {
    void (*const opens[])(int *) = {open_stream, open_datagram, open_seqpacket};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < KINDS; k++) {
            int end[2], got[8];
            opens[i](end);
            kinds[k].open(sent_end);
            struct later later = {.fd = end[1], .act = send_two};
            pthread_t t = spawn(do_later, &later);
            CHECK_EQ(receive_fds(end[0], got, 8, k % 2 ? MSG_CMSG_CLOEXEC : 0), 2);
            join_thread(t);
            CHECK_EQ(fcntl(got[0], F_GETFD), k % 2 ? FD_CLOEXEC : 0);
            close_both(sent_end); // the received ones keep the files
            later = (struct later){.fd = got[1], .data = "through", .len = 7};
            t = spawn(do_later, &later);
            char data[10];
            CHECK_EQ(read(got[0], data, 10), 7);
            join_thread(t);
            close_both(got);
            close_both(end);
        }
    // Room for one only: the second is closed, not leaked.
    int end[2], got[8], before;
    open_stream(end);
    open_pipe(sent_end);
    before = open_fds();
    send_fds(end[1], sent_end, 2);
    CHECK_EQ(receive_fds(end[0], got, 1, 0), -1);
    CHECK_EQ(open_fds(), before + 1);
    return 0;
}
