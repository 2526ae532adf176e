// What an expert writes instead of threads: one loop over epoll, edge-triggered. A read that gave less than it was
// asked for has emptied the socket, so a request costs one read and one write.
//   server_epoll echo|http
// Prints its port, and serves until it is killed.
#include "protocol.h"
#include <sys/epoll.h>

enum { EVENTS = 512 };

struct connection {
    int fd;
    unsigned have, unsent; // bytes of the beginning of a request, bytes that did not fit into the socket
    int close_when_sent;
    char *begun, *rest;
};

static enum protocol protocol;
static char in[CHUNK], out[ANSWERS];

static void end(struct connection *c) {
    close(c->fd);
    free(c->begun);
    free(c->rest);
    free(c);
}

static char *copy(const char *data, size_t length) {
    char *result = malloc(length);
    CHECK(result != NULL);
    return memcpy(result, data, length);
}

// Sends, and keeps what does not fit. -1: the connection is to end.
static int put(struct connection *c, const char *data, size_t length) {
    while (length > 0) {
        ssize_t n = write(c->fd, data, length);
        if (n == -1 && errno == EAGAIN) {
            char *rest = copy(data, length);
            free(c->rest);
            c->rest = rest;
            c->unsent = length;
            return 0;
        }
        if (n <= 0)
            return -1;
        data += n, length -= n;
    }
    c->unsent = 0;
    return c->close_when_sent ? -1 : 0;
}

// Reads and answers until the socket is empty. -1: the connection is to end.
static int serve(struct connection *c) {
    for (;;) {
        size_t have = c->have;
        if (have > 0)
            memcpy(in, c->begun, have);
        ssize_t n = read(c->fd, in + have, sizeof in - have);
        if (n == -1 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return -1;
        int empty = (size_t)n < sizeof in - have;
        have += n;
        struct answer reply = answer(protocol, in, have, out);
        c->have = have - reply.used;
        if (c->have > 0) {
            if (c->begun == NULL)
                CHECK((c->begun = malloc(CHUNK)) != NULL);
            memcpy(c->begun, in + reply.used, c->have);
        }
        c->close_when_sent = reply.close;
        if (put(c, reply.data, reply.length) == -1)
            return -1;
        // What could not be sent is sent first, when there is room again.
        if (empty || c->unsent > 0)
            return 0;
    }
}

int main(int argc, char **argv) {
    CHECK_EQ(argc, 2);
    protocol = protocol_named(argv[1]);
    raise_file_limit(200000);
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_and_print(SOCK_NONBLOCK), epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll >= 0);
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN}));
    static struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        if (n == -1 && errno == EINTR)
            continue;
        CHECK(n > 0);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (c == NULL) {
                int fd;
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    CHECK((c = calloc(1, sizeof *c)) != NULL);
                    c->fd = fd;
                    struct epoll_event both = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
                    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &both));
                }
                CHECK(errno == EAGAIN || errno == EINTR || errno == ECONNABORTED);
                continue;
            }
            int going = 0, readable = (events[i].events & ~EPOLLOUT) != 0;
            if (c->unsent > 0 && events[i].events & EPOLLOUT) {
                char *rest = c->rest;
                c->rest = NULL;
                going = put(c, rest, c->unsent);
                free(rest);
                readable = 1; // what came meanwhile has been left there
            }
            if (going == 0 && readable && c->unsent == 0)
                going = serve(c);
            if (going == -1)
                end(c);
        }
    }
}
