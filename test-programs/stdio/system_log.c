// syslog from many threads does no harm, with a log socket that nobody serves and, in a namespace, with one that is slow.
#include "os/channel.h"
#include <sched.h>
#include <sys/mount.h>
#include <syslog.h>

enum { THREADS = 10, MESSAGES = 20 };

static void *log_some(void *arg) {
    for (int i = 0; i < MESSAGES; i++)
        syslog(LOG_DEBUG, "greenpatch test %d %d", (int)(intptr_t)arg, i);
    return NULL;
}

static void *receive(void *arg) {
    char text[256];
    nap();
    for (int i = 0; i < THREADS * MESSAGES; i++) {
        ssize_t n = recv(*(int *)arg, text, sizeof text - 1, 0);
        CHECK(n > 0);
        text[n] = '\0';
        CHECK(strstr(text, "greenpatch test") != NULL);
    }
    return NULL;
}

static void log_from_threads(void) {
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(log_some, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
}

int main(void) {
    int alone = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                mount("none", "/dev", "tmpfs", 0, NULL) == 0;
    if (!alone)
        SKIP("no private /dev allowed here");
    openlog("greenpatch-test", LOG_PID, LOG_USER);
    log_from_threads();
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    CHECK_OK(bind(fd, (struct sockaddr *)&name, sizeof name));
    pthread_t t = spawn(receive, &fd);
    log_from_threads();
    join_thread(t);
    closelog();
    return 0;
}
