// A pre-forking server: four workers with threads accept on one socket, SIGHUP replaces them, SIGTERM ends it; no request is lost, over a hundred reloads in the long form.
#include "os/channel.h"

enum { WORKERS = 4, CLIENTS = 4 };

static struct sockaddr_in addr;
static int listener;
static volatile sig_atomic_t reload, stop;
static int reloaded, told[2];

static void on_hup(int sig) {
    (void)sig;
    reload = 1;
}
static void on_term(int sig) {
    (void)sig;
    stop = 1;
}

static void *echo(void *arg) {
    int fd = (int)(intptr_t)arg, number;
    read_whole(fd, &number, sizeof number);
    write_whole(fd, &number, sizeof number);
    CHECK_OK(close(fd));
    return NULL;
}

// Takes signals only while it waits, so that none comes between the look at `stop` and the wait.
static void work(void) {
    sigset_t none;
    sigemptyset(&none);
    while (!stop) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        if (ppoll(&p, 1, NULL, &none) == -1) {
            CHECK_EQ(errno, EINTR);
            continue;
        }
        int fd = accept(listener, NULL, NULL);
        if (fd == -1) {
            CHECK_EQ(errno, EAGAIN); // another worker was faster
            continue;
        }
        CHECK_OK(fcntl(fd, F_SETFL, 0));
        join_thread(spawn(echo, (void *)(intptr_t)fd));
    }
    _exit(0);
}

static pid_t start_worker(void) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        work();
    return pid;
}

static void serve(void) {
    pid_t workers[WORKERS];
    sigset_t block, none;
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGHUP);
    sigaddset(&block, SIGTERM);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &block, NULL), 0);
    on_signal(SIGHUP, on_hup, 0);
    on_signal(SIGTERM, on_term, 0);
    for (int i = 0; i < WORKERS; i++)
        workers[i] = start_worker();
    CHECK_EQ(write(told[1], "s", 1), 1);
    for (;;) {
        while (!reload && !stop)
            sigsuspend(&none);
        reload = 0;
        for (int i = 0; i < WORKERS; i++) {
            pid_t old = workers[i];
            if (!stop)
                workers[i] = start_worker();
            CHECK_OK(kill(old, SIGTERM));
            CHECK_EQ(wait_child(old), 0);
        }
        if (stop)
            _exit(0);
        CHECK_EQ(write(told[1], "r", 1), 1);
    }
}

static void *ask(void *arg) {
    for (int i = 0; i < 60 || !__atomic_load_n(&reloaded, __ATOMIC_SEQ_CST); i++) {
        int number = (int)(intptr_t)arg * 1000000 + i, back;
        int fd = tcp_connect(&addr);
        write_whole(fd, &number, sizeof number);
        read_whole(fd, &back, sizeof back);
        CHECK_EQ(back, number);
        CHECK_OK(close(fd));
        if (i % 8 == 0)
            nap();
    }
    return NULL;
}

int main(void) {
    listener = tcp_listener(&addr);
    CHECK_OK(fcntl(listener, F_SETFL, O_NONBLOCK));
    open_pipe(told);
    pid_t server = fork();
    CHECK_OK(server);
    if (server == 0)
        serve();
    pthread_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = spawn(ask, (void *)(intptr_t)i);
    char c;
    CHECK_OK(close(told[1]));
    read_whole(told[0], &c, 1); // its handlers are there
    for (int i = 0; i < (full_run() ? 100 : 8); i++) {
        CHECK_OK(kill(server, SIGHUP));
        read_whole(told[0], &c, 1);
    }
    __atomic_store_n(&reloaded, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < CLIENTS; i++)
        join_thread(clients[i]);
    CHECK_OK(kill(server, SIGTERM));
    CHECK_EQ(wait_child(server), 0);
    return 0;
}
