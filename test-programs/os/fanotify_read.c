// A read of a fanotify descriptor waits, by itself and in poll, for what another thread does with a file, and yields meanwhile.
#include "os/channel.h"
#include <poll.h>
#include <sys/fanotify.h>

static char path[256];

static void *open_later(void *arg) {
    nap();
    int fd = open(path, O_RDONLY);
    CHECK_OK(fd);
    CHECK_OK(close(fd));
    return arg;
}

static void take(int events, uint64_t mask) {
    struct fanotify_event_metadata event[4];
    ssize_t n = read(events, event, sizeof event);
    CHECK(n >= (ssize_t)sizeof *event);
    CHECK_EQ(event->vers, FANOTIFY_METADATA_VERSION);
    CHECK(event->mask & mask);
    CHECK_EQ(event->pid, getpid());
    for (struct fanotify_event_metadata *e = event; FAN_EVENT_OK(e, n); e = FAN_EVENT_NEXT(e, n))
        if (e->fd >= 0)
            CHECK_OK(close(e->fd));
}

int main(void) {
    int events = fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);
    if (events == -1)
        SKIP("no fanotify here, or not for this user");
    int file = mkostemp(temp_template(path), O_CLOEXEC);
    CHECK_OK(file);
    CHECK_OK(fanotify_mark(events, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, path));
    for (int i = 0; i < 5; i++) {
        pthread_t t = spawn(open_later, NULL);
        take(events, FAN_OPEN);
        join_thread(t);

        t = spawn(open_later, NULL);
        struct pollfd p = {.fd = events, .events = POLLIN};
        CHECK_EQ(poll(&p, 1, -1), 1);
        CHECK_EQ(p.revents, POLLIN);
        take(events, FAN_OPEN);
        join_thread(t);
    }
    CHECK_INTERRUPTED(read(events, &(char[512]){0}, 512));
    int flags = fcntl(events, F_GETFL);
    CHECK_OK(fcntl(events, F_SETFL, flags | O_NONBLOCK));
    CHECK_ERR(read(events, &(char[512]){0}, 512), EAGAIN);
    CHECK_OK(unlink(path));
    CHECK_OK(close(file));
    CHECK_OK(close(events));
    return 0;
}
