// recvfrom and recvmsg tell who sent, also when they waited; sendto reaches the address given; a full receiver waits.
#include "os/channel.h"

enum { TALKERS = 4, TURNS = 10, WINDOW = 5 }; // together more than a queue of ten takes
static struct sockaddr_un server_name;
static socklen_t server_len;

static void *answer_all(void *arg) {
    int fd = *(int *)arg;
    nap();
    for (int i = 0; i < TALKERS * TURNS * WINDOW; i++) {
        struct sockaddr_un from;
        socklen_t len = sizeof from;
        char data[16];
        ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len);
        CHECK_EQ(n, 4);
        CHECK(len > sizeof(sa_family_t));
        CHECK_EQ(sendto(fd, data, n, 0, (struct sockaddr *)&from, len), n);
    }
    return NULL;
}

static void *talk(void *arg) {
    (void)arg;
    struct sockaddr_un name;
    socklen_t len = unix_address(&name);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(bind(fd, (struct sockaddr *)&name, len));
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < WINDOW; i++)
            CHECK_EQ(sendto(fd, &i, 4, 0, (struct sockaddr *)&server_name, server_len), 4);
        for (int i = 0; i < WINDOW; i++) {
            int number;
            struct sockaddr_un from;
            struct iovec part = {&number, 4};
            struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from};
            CHECK_EQ(recvmsg(fd, &message, 0), 4);
            CHECK_EQ(number, i);
            CHECK_EQ(message.msg_namelen, server_len);
            CHECK(memcmp(&from, &server_name, server_len) == 0);
        }
    }
    return NULL;
}

int main(void) {
    server_len = unix_address(&server_name);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(bind(fd, (struct sockaddr *)&server_name, server_len));
    pthread_t t[TALKERS];
    for (int i = 0; i < TALKERS; i++)
        t[i] = spawn(talk, NULL);
    pthread_t server = spawn(answer_all, &fd);
    for (int i = 0; i < TALKERS; i++)
        join_thread(t[i]);
    join_thread(server);

    // UDP: the sender's port.
    int udp[2];
    struct sockaddr_in name[2], from;
    for (int i = 0; i < 2; i++) {
        CHECK_OK(udp[i] = socket(AF_INET, SOCK_DGRAM, 0));
        name[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof name[i];
        CHECK_OK(bind(udp[i], (struct sockaddr *)&name[i], len));
        CHECK_OK(getsockname(udp[i], (struct sockaddr *)&name[i], &len));
    }
    CHECK_OK(connect(udp[1], (struct sockaddr *)&name[0], sizeof name[0]));
    struct later later = {.fd = udp[1], .data = "udp", .len = 3};
    pthread_t sender = spawn(do_later, &later);
    char data[16];
    socklen_t len = sizeof from;
    CHECK_EQ(recvfrom(udp[0], data, sizeof data, 0, (struct sockaddr *)&from, &len), 3);
    CHECK_EQ(from.sin_port, name[1].sin_port);
    CHECK_EQ(len, sizeof from);
    join_thread(sender);
    return 0;
}
