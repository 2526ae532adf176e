// The calls that never wait give what they give without the shim: names, options, types, listening state.
#include "os/channel.h"

static void *read_until_end(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    struct sockaddr_in addr, name;
    socklen_t len = sizeof name;
    int listener = tcp_listener(&addr), client = tcp_connect(&addr), server = accept(listener, NULL, NULL), value;
    CHECK(server >= 0);
    pthread_t t = spawn(read_until_end, &server);
    nap();
    CHECK_OK(getpeername(client, (struct sockaddr *)&name, &len));
    CHECK_EQ(name.sin_port, addr.sin_port);
    CHECK_OK(getsockname(server, (struct sockaddr *)&name, &len));
    CHECK_EQ(name.sin_port, addr.sin_port);
    CHECK_ERR(getpeername(listener, (struct sockaddr *)&name, &len), ENOTCONN);
    CHECK_OK(getsockopt(server, SOL_SOCKET, SO_TYPE, &value, &(socklen_t){sizeof value}));
    CHECK_EQ(value, SOCK_STREAM);
    CHECK_OK(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &(socklen_t){sizeof value}));
    CHECK_EQ(value, 1);
    CHECK_OK(setsockopt(server, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof value));
    CHECK_OK(getsockopt(server, SOL_SOCKET, SO_KEEPALIVE, &value, &(socklen_t){sizeof value}));
    CHECK_EQ(value, 1);
    struct timeval time = {.tv_sec = 3, .tv_usec = 500000}, back;
    CHECK_OK(setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    CHECK_OK(getsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &back, &(socklen_t){sizeof back}));
    CHECK_EQ(back.tv_sec, 3);
    CHECK_EQ(back.tv_usec, 500000);
    CHECK_ERR(getsockopt(server, SOL_SOCKET, 9999, &value, &(socklen_t){sizeof value}), ENOPROTOOPT);
    CHECK_ERR(bind(client, (struct sockaddr *)&addr, sizeof addr), EINVAL);
    int second = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(bind(second, (struct sockaddr *)&addr, sizeof addr), EADDRINUSE);
    CHECK_EQ(sockatmark(client), 0);
    CHECK_OK(close(client));
    join_thread(t);
    return 0;
}
