// A write or send of which a part has gone is cancelled while it waits with the rest; a signal makes it return the part; a reader makes it whole.
#include "check.h"
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { LARGE = 4 << 20 };
static char *data;
static int cleaned, ends[2], kind;

static void clean_up(void *arg) {
    (void)arg;
    cleaned++;
}

static ssize_t put(int fd) {
    switch (kind) {
    case 0:
        return write(fd, data, LARGE);
    case 1:
        return send(fd, data, LARGE, MSG_NOSIGNAL);
    default:
        return sendto(fd, data, LARGE, 0, NULL, 0);
    }
}

static void *put_all(void *arg) {
    ssize_t got;
    pthread_cleanup_push(clean_up, NULL);
    got = put(ends[1]);
    // A part may be returned instead, as later versions of libc do; then the request is still there.
    pthread_testcancel();
    pthread_cleanup_pop(0);
    *(ssize_t *)arg = got;
    return arg;
}

static int queued(int fd) {
    int n = 0;
    CHECK_OK(ioctl(fd, FIONREAD, &n));
    return n;
}

static void on_signal(int signal) { (void)signal; }

static void open_ends(int sockets) {
    if (sockets)
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    else
        CHECK_OK(pipe(ends));
}

static void try_kind(int sockets) {
    ssize_t got = 0;
    void *result;

    open_ends(sockets);
    cleaned = 0;
    pthread_t t = spawn(put_all, &got);
    EVENTUALLY(queued(ends[0]) > 0);
    sleep_ms(5);
    CHECK_RC(pthread_cancel(t), 0);
    CHECK_RC(pthread_join(t, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 1);
    close(ends[0]);
    close(ends[1]);

    open_ends(sockets);
    t = spawn(put_all, &got);
    EVENTUALLY(queued(ends[0]) > 0);
    sleep_ms(5);
    CHECK_RC(pthread_kill(t, SIGUSR1), 0);
    CHECK_RC(pthread_join(t, &result), 0);
    CHECK(result == &got && got > 0 && got < LARGE);
    // What was reported, and no more, has gone.
    close(ends[1]);
    ssize_t total = 0, n;
    char *back = malloc(LARGE);
    while ((n = read(ends[0], back, LARGE)) > 0)
        total += n;
    CHECK_EQ(total, got);
    close(ends[0]);

    open_ends(sockets);
    t = spawn(put_all, &got);
    total = 0;
    while (total < LARGE && (n = read(ends[0], back + total, LARGE - total)) > 0)
        total += n;
    CHECK_EQ(total, LARGE);
    CHECK_RC(pthread_join(t, &result), 0);
    CHECK(result == &got);
    CHECK_EQ(got, LARGE);
    CHECK_EQ(memcmp(back, data, LARGE), 0);
    free(back);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    data = malloc(LARGE);
    for (int i = 0; i < LARGE; i++)
        data[i] = i * 7 + i / 251;
    try_kind(0);
    try_kind(1);
    kind = 1;
    try_kind(1);
    kind = 2;
    try_kind(1);
    return 0;
}
