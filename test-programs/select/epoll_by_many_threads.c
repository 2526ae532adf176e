// Several threads wait on one epoll descriptor: edge-triggered and one-shot events go to one thread each.
#include "os/channel.h"
#include <sys/epoll.h>

enum { THREADS = 8, PIPES = 20, ROUNDS = 50 };

static int ep, quit[2], pipes[PIPES][2], taken[PIPES];

static void *work(void *arg) {
    uint32_t mode = (uint32_t)(intptr_t)arg;
    long mine = 0;
    for (;;) {
        struct epoll_event e;
        int n = epoll_wait(ep, &e, 1, -1);
        CHECK_EQ(n, 1);
        if (e.data.fd == -1)
            return (void *)mine;
        char c;
        CHECK_EQ(read(pipes[e.data.fd][0], &c, 1), 1); // would wait if two were told of one byte
        mine++;
        __atomic_add_fetch(&taken[e.data.fd], 1, __ATOMIC_SEQ_CST);
        if (mode & EPOLLONESHOT) {
            struct epoll_event again = {.events = mode, .data.fd = e.data.fd};
            CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, pipes[e.data.fd][0], &again));
        }
    }
}

int main(void) {
    uint32_t modes[] = {EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
    for (int m = 0; m < 2; m++) {
        CHECK_OK(ep = epoll_create1(0));
        memset(taken, 0, sizeof taken);
        open_pipe(quit);
        for (int i = 0; i < PIPES; i++) {
            open_pipe(pipes[i]);
            struct epoll_event e = {.events = modes[m], .data.fd = i};
            CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][0], &e));
        }
        struct epoll_event e = {.events = EPOLLIN, .data.fd = -1};
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, quit[0], &e));
        pthread_t t[THREADS];
        for (int i = 0; i < THREADS; i++)
            t[i] = spawn(work, (void *)(intptr_t)modes[m]);
        nap();
        for (int round = 1; round <= ROUNDS; round++) {
            for (int i = 0; i < PIPES; i++)
                CHECK_EQ(write(pipes[i][1], "x", 1), 1);
            for (int i = 0; i < PIPES; i++)
                EVENTUALLY(__atomic_load_n(&taken[i], __ATOMIC_SEQ_CST) == round);
        }
        CHECK_EQ(write(quit[1], "q", 1), 1);
        long total = 0;
        for (int i = 0; i < THREADS; i++)
            total += (long)join_thread(t[i]);
        CHECK_EQ(total, PIPES * ROUNDS);
        for (int i = 0; i < PIPES; i++)
            close_both(pipes[i]);
        close_both(quit);
        CHECK_OK(close(ep));
    }
    return 0;
}
