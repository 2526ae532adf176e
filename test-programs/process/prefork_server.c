// A pre-forking server: workers with threads accept on one socket, reloads replace them, SIGTERM ends it; no request is
// lost.
#include "os/channel.h"

enum { WORKERS = 3, CLIENTS = 4, REQUESTS = 60, RELOADS = 8 };

static struct sockaddr_in addr;
static int listener;
static volatile sig_atomic_t reload, stop;

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
    for (;;) {
        while (!reload && !stop)
            sigsuspend(&none);
        for (int i = 0; i < WORKERS; i++) {
            pid_t old = workers[i];
            if (!stop)
                workers[i] = start_worker();
            CHECK_OK(kill(old, SIGTERM));
            CHECK_EQ(wait_child(old), 0);
        }
        if (stop)
            _exit(0);
        reload = 0;
    }
}

static void *ask(void *arg) {
    for (int i = 0; i < REQUESTS; i++) {
        int number = (int)(intptr_t)arg * 1000 + i, back;
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
    pid_t server = fork();
    CHECK_OK(server);
    if (server == 0)
        serve();
    pthread_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = spawn(ask, (void *)(intptr_t)i);
    sleep_ms(20); // its handlers are there by now
    for (int i = 0; i < RELOADS; i++) {
        CHECK_OK(kill(server, SIGHUP));
        sleep_ms(10);
    }
    for (int i = 0; i < CLIENTS; i++)
        join_thread(clients[i]);
    CHECK_OK(kill(server, SIGTERM));
    CHECK_EQ(wait_child(server), 0);
    return 0;
}
