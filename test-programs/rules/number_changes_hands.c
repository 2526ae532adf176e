// poll and select look their numbers up again when they wake: a closed one is POLLNVAL, or ready; of one that got another file
// meanwhile that file counts.
// shows closed: poll ppoll select pselect6
#include "os/channel.h"
#include <sys/eventfd.h>
#include <sys/select.h>

static int end[2];
static pid_t tid;
static int milliseconds;

static int in_poll(void) {
    struct pollfd p = {.fd = end[0], .events = POLLIN};
    int n = poll(&p, 1, milliseconds);
    return n == 1 ? p.revents : n;
}
static int in_ppoll(void) {
    struct pollfd p[2] = {{.fd = end[0], .events = POLLPRI}, {.fd = end[0], .events = POLLIN}};
    struct timespec length = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    int n = ppoll(p, 2, &length, NULL);
    return n > 0 ? p[1].revents : n;
}
static int in_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(end[0], &set);
    struct timeval length = {milliseconds / 1000, milliseconds % 1000 * 1000};
    return select(end[0] + 1, &set, NULL, NULL, &length) * 10 + FD_ISSET(end[0], &set);
}
static int in_pselect(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(end[0], &set);
    struct timespec length = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    return pselect(end[0] + 1, &set, NULL, NULL, &length, NULL) * 10 + FD_ISSET(end[0], &set);
}

static void *waits(void *arg) {
    about_to_block(&tid);
    return (void *)(intptr_t)(*(int (**)(void))arg)();
}

// `other`: nothing, an empty eventfd, a full one.
static void check(int (*call)(void), int other, int want) {
    tid = 0;
    milliseconds = want == 0 ? 100 : 100000;
    open_pipe(end);
    int reader = dup(end[0]);
    pthread_t thread = spawn(waits, &call);
    await_blocked(&tid);
    if (other == 0) {
        CHECK_OK(close(end[0]));
    } else {
        int file = eventfd(other == 2, 0);
        CHECK_EQ(dup2(file, end[0]), end[0]);
        CHECK_OK(close(file));
    }
    sleep_ms(1);
    CHECK_EQ(write(end[1], "x", 1), 1);
    CHECK_EQ((intptr_t)join_thread(thread), want);
    if (other != 0)
        CHECK_OK(close(end[0]));
    CHECK_OK(close(end[1]));
    CHECK_OK(close(reader));
}

int main(void) {
    check(in_poll, 0, POLLNVAL);
    check(in_ppoll, 0, POLLNVAL);
    check(in_select, 0, 11);
    check(in_pselect, 0, 11);
    check(in_poll, 1, 0);
    check(in_ppoll, 1, 0);
    check(in_select, 1, 0);
    check(in_pselect, 1, 0);
    check(in_poll, 2, POLLIN);
    check(in_ppoll, 2, POLLIN);
    check(in_select, 2, 11);
    check(in_pselect, 2, 11);
    return 0;
}
