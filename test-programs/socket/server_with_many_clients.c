// A server with a thread per connection and its clients, all in one process: nothing lost, nothing mixed up.
#include "os/channel.h"

enum { CLIENTS = 200, ROUNDS = 20, SIZE = 700 };
static struct sockaddr_in addr;
static pthread_barrier_t all_connected;

static void *echo(void *arg) {
    int fd = (int)(intptr_t)arg;
    char data[512];
    ssize_t n;
    while ((n = read(fd, data, sizeof data)) > 0)
        write_whole(fd, data, n);
    CHECK_EQ(n, 0);
    CHECK_OK(close(fd));
    return NULL;
}

static void *serve(void *arg) {
    pthread_t t[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        int fd = accept(*(int *)arg, NULL, NULL);
        CHECK(fd >= 0);
        t[i] = spawn(echo, (void *)(intptr_t)fd);
    }
    for (int i = 0; i < CLIENTS; i++)
        join_thread(t[i]);
    return NULL;
}

static void *talk(void *arg) {
    uint32_t id = (uint32_t)(intptr_t)arg;
    char out[SIZE], in[SIZE];
    int fd = tcp_connect(&addr);
    pthread_barrier_wait(&all_connected);
    for (int i = 0; i < ROUNDS; i++) {
        fill(out, SIZE, id * 1000 + i);
        write_whole(fd, out, SIZE);
        read_whole(fd, in, SIZE);
        CHECK(memcmp(in, out, SIZE) == 0);
    }
    CHECK_OK(close(fd));
    return NULL;
}

int main(void) {
    int listener = tcp_listener(&addr);
    CHECK_RC(pthread_barrier_init(&all_connected, NULL, CLIENTS + 1), 0);
    pthread_t server = spawn(serve, &listener), clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = spawn(talk, (void *)(intptr_t)i);
    pthread_barrier_wait(&all_connected);
    CHECK_ONE_KERNEL_THREAD();
    for (int i = 0; i < CLIENTS; i++)
        join_thread(clients[i]);
    join_thread(server);
    return 0;
}
