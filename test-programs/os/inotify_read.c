// A read of an inotify descriptor waits for what another thread does in the directory.
#include "os/channel.h"
#include <sys/inotify.h>

static char dir[256];

static void *make_file(void *arg) {
    (void)arg;
    char path[300];
    nap();
    snprintf(path, sizeof path, "%s/new", dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    CHECK(fd >= 0);
    CHECK_OK(close(fd));
    CHECK_OK(unlink(path));
    return NULL;
}

int main(void) {
    temp_dir(dir);
    int fd = inotify_init();
    CHECK(fd >= 0);
    CHECK_OK(inotify_add_watch(fd, dir, IN_CREATE | IN_DELETE));
    for (int i = 0; i < 3; i++) {
        pthread_t t = spawn(make_file, NULL);
        uint32_t seen = 0;
        while (seen != (IN_CREATE | IN_DELETE)) {
            char events[4096] __attribute__((aligned(8)));
            ssize_t n = read(fd, events, sizeof events);
            CHECK(n > 0);
            for (ssize_t at = 0; at < n;) {
                struct inotify_event *event = (struct inotify_event *)(events + at);
                CHECK_STR(event->name, "new");
                seen |= event->mask;
                at += sizeof *event + event->len;
            }
        }
        join_thread(t);
    }
    char events[4096];
    CHECK_INTERRUPTED(read(fd, events, sizeof events));
    CHECK_OK(rmdir(dir));
    return 0;
}
