// IPv6: connect, accept and the addresses that waiting calls give back; dual-stack listeners.
#include "os/channel.h"

static struct sockaddr_in6 addr;

static void *serve(void *arg) {
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in6 peer;
        socklen_t len = sizeof peer;
        int fd = accept(*(int *)arg, (struct sockaddr *)&peer, &len);
        CHECK(fd >= 0);
        CHECK_EQ(len, sizeof peer);
        CHECK(i == 0 ? IN6_IS_ADDR_LOOPBACK(&peer.sin6_addr) : IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
        CHECK_EQ(write(fd, "six", 3), 3);
        CHECK_OK(close(fd));
    }
    return NULL;
}

int main(void) {
    int listener = socket(AF_INET6, SOCK_STREAM, 0);
    addr = (struct sockaddr_in6){.sin6_family = AF_INET6};
    socklen_t len = sizeof addr;
    if (listener == -1 || setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)) == -1 ||
        bind(listener, (struct sockaddr *)&addr, len) == -1)
        SKIP("no IPv6 here");
    CHECK_OK(listen(listener, 5));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&addr, &len));
    addr.sin6_addr = in6addr_loopback;
    int client = socket(AF_INET6, SOCK_STREAM, 0);
    pthread_t t = spawn(serve, &listener);
    if (connect(client, (struct sockaddr *)&addr, len) == -1)
        SKIP("no IPv6 loopback here");
    char data[8];
    read_whole(client, data, 3);
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = addr.sin6_port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    client = tcp_connect(&four);
    read_whole(client, data, 3);
    CHECK(memcmp(data, "six", 3) == 0);
    join_thread(t);
    return 0;
}
