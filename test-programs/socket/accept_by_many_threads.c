// Ten threads accept on one socket: each connection is served once, and every thread gets its turn in the end.
#include "os/channel.h"

enum { THREADS = 10, CONNECTIONS = 400 };

static int listener, served[CONNECTIONS];
static struct sockaddr_in addr;

static void *serve(void *arg) {
    (void)arg;
    long mine = 0;
    for (;;) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        int fd = mine % 2 ? accept(listener, (struct sockaddr *)&peer, &len)
                          : accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
        CHECK(fd >= 0);
        CHECK_EQ(len, sizeof peer);
        CHECK_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        CHECK_EQ(fcntl(fd, F_GETFD), mine % 2 ? 0 : FD_CLOEXEC);
        CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        int number;
        read_whole(fd, &number, sizeof number);
        if (number < 0) {
            CHECK_OK(close(fd));
            return (void *)mine;
        }
        CHECK_EQ(__atomic_add_fetch(&served[number], 1, __ATOMIC_SEQ_CST), 1);
        write_whole(fd, &number, sizeof number);
        CHECK_OK(close(fd));
        mine++;
    }
}

static void *ask(void *arg) {
    int first = (int)(intptr_t)arg;
    for (int i = first; i < CONNECTIONS; i += THREADS) {
        int fd = tcp_connect(&addr), back;
        write_whole(fd, &i, sizeof i);
        read_whole(fd, &back, sizeof back);
        CHECK_EQ(back, i);
        CHECK_OK(close(fd));
    }
    return NULL;
}

int main(void) {
    listener = tcp_listener(&addr);
    pthread_t servers[THREADS], clients[THREADS];
    for (int i = 0; i < THREADS; i++)
        servers[i] = spawn(serve, NULL);
    nap();
    for (int i = 0; i < THREADS; i++)
        clients[i] = spawn(ask, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(clients[i]);
    for (int i = 0; i < THREADS; i++) {
        int fd = tcp_connect(&addr), stop = -1;
        write_whole(fd, &stop, sizeof stop);
        CHECK_EQ(read(fd, &stop, sizeof stop), 0);
        CHECK_OK(close(fd));
    }
    long total = 0;
    for (int i = 0; i < THREADS; i++)
        total += (long)join_thread(servers[i]);
    CHECK_EQ(total, CONNECTIONS);
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
