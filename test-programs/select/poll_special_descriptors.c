// poll, select and epoll wait on descriptors that are neither pipes nor connections: listeners, signalfd, inotify, message
// queues, connections in progress.
#include "os/channel.h"
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>

static struct sockaddr_in addr;
static char dir[256];
static mqd_t queue;

static void connect_to(int unused) {
    (void)unused;
    CHECK_OK(close(tcp_connect(&addr)));
}

static void raise_signal(int unused) {
    (void)unused;
    CHECK_OK(kill(getpid(), SIGUSR1));
}

static void touch(int unused) {
    (void)unused;
    char path[300];
    snprintf(path, sizeof path, "%s/new", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    CHECK_OK(close(fd));
    CHECK_OK(unlink(path));
}

static void post(int unused) {
    (void)unused;
    CHECK_OK(mq_send(queue, "x", 1, 0));
}

static void wait_readable(int form, int fd) {
    if (form == 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        CHECK_EQ(poll(&p, 1, -1), 1);
        CHECK_EQ(p.revents, POLLIN);
    } else if (form == 1) {
        fd_set in;
        FD_ZERO(&in);
        FD_SET(fd, &in);
        CHECK_EQ(select(fd + 1, &in, NULL, NULL, NULL), 1);
        CHECK(FD_ISSET(fd, &in));
    } else {
        int ep = epoll_create1(0);
        struct epoll_event e = {.events = EPOLLIN};
        CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
        CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
        CHECK_OK(close(ep));
    }
}

static void wait_while(int form, int fd, void (*act)(int)) {
    struct later later = {.act = act};
    CHECK_EQ(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0), 0);
    pthread_t t = spawn(do_later, &later);
    wait_readable(form, fd);
    join_thread(t);
}

int main(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    int listener = tcp_listener(&addr), signals = signalfd(-1, &set, 0), watch = inotify_init();
    CHECK(signals >= 0 && watch >= 0);
    CHECK_OK(inotify_add_watch(watch, temp_dir(dir), IN_CREATE));
    char name[64], data[4096];
    snprintf(name, sizeof name, "/greenpatch-test-poll-%d", (int)getpid());
    mq_unlink(name); // left by a run that was killed
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL);
    if (queue != (mqd_t)-1)
        CHECK_OK(mq_unlink(name));
    for (int form = 0; form < 3; form++) {
        wait_while(form, listener, connect_to);
        CHECK_OK(close(accept(listener, NULL, NULL)));
        wait_while(form, signals, raise_signal);
        CHECK_EQ(read(signals, data, sizeof data), sizeof(struct signalfd_siginfo));
        wait_while(form, watch, touch);
        CHECK(read(watch, data, sizeof data) > 0);
        if (queue != (mqd_t)-1) {
            wait_while(form, queue, post);
            struct mq_attr attr;
            CHECK_OK(mq_getattr(queue, &attr));
            char *message = malloc(attr.mq_msgsize);
            CHECK_EQ(mq_receive(queue, message, attr.mq_msgsize, NULL), 1);
            free(message);
        }
    }
    CHECK_OK(rmdir(dir));
    return 0;
}
