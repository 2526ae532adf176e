// A server of the plainest kind: a thread for each connection, blocking reads and writes.
//   server_threads echo|http
// Prints its port, and serves until it is killed.
#include "protocol.h"

static enum protocol protocol;

static int write_all(int fd, const char *data, size_t length) {
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n, length -= n;
    }
    return 0;
}

static void *serve(void *arg) {
    int fd = (int)(intptr_t)arg;
    char in[CHUNK], out[ANSWERS];
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, in + have, sizeof in - have);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += n;
        struct answer reply = answer(protocol, in, have, out);
        if (write_all(fd, reply.data, reply.length) == -1 || reply.close)
            break;
        have -= reply.used;
        if (have > 0)
            memmove(in, in + reply.used, have);
    }
    close(fd);
    return NULL;
}

int main(int argc, char **argv) {
    CHECK_EQ(argc, 2);
    protocol = protocol_named(argv[1]);
    raise_file_limit(200000);
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_and_print(0);
    pthread_attr_t detached;
    CHECK_RC(pthread_attr_init(&detached), 0);
    CHECK_RC(pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED), 0);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd == -1) {
            CHECK(errno == EINTR || errno == ECONNABORTED);
            continue;
        }
        pthread_t thread;
        CHECK_RC(pthread_create(&thread, &detached, serve, (void *)(intptr_t)fd), 0);
    }
}
