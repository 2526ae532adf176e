// SO_PASSCRED and SO_PEERCRED tell this process's pid, whichever thread sends; who may name another process may name a thread.
#include "os/channel.h"

static void *name_itself(void *arg) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control = {.header = {CMSG_LEN(sizeof(struct ucred)), SOL_SOCKET, SCM_CREDENTIALS}};
    struct ucred who = {gettid(), getuid(), getgid()};
    memcpy(CMSG_DATA(&control.header), &who, sizeof who);
    struct iovec part = {"it", 2};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t sent = sendmsg(*(int *)arg, &message, 0);
    if (sent < 0)
        CHECK_EQ(errno, EPERM); // without privileges
    else
        CHECK_EQ(sent, 2);
    return NULL;
}

int main(void) {
    int end[2];
    open_datagram(end);
    CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_PASSCRED, &(int){1}, sizeof(int)));
    struct later later = {.fd = end[1], .data = "who", .len = 3};
    pthread_t t = spawn(do_later, &later);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    char data[10];
    struct iovec part = {data, 10};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    CHECK_EQ(recvmsg(end[0], &message, 0), 3);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    CHECK(header != NULL && header->cmsg_type == SCM_CREDENTIALS);
    struct ucred who;
    memcpy(&who, CMSG_DATA(header), sizeof who);
    CHECK_EQ(who.pid, getpid());
    CHECK_EQ(who.uid, getuid());
    join_thread(t);

    join_thread(spawn(name_itself, &end[1]));

    socklen_t len = sizeof who;
    memset(&who, 0, sizeof who);
    open_stream(end);
    CHECK_OK(getsockopt(end[0], SOL_SOCKET, SO_PEERCRED, &who, &len));
    CHECK_EQ(who.pid, getpid());
    return 0;
}
