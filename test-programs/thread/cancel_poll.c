// Cancellation in poll, ppoll, select, pselect, epoll_wait and epoll_pwait runs cleanup handlers.
#include "cancel.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int ends[2], ep;

static void in_poll(void) {
    struct pollfd p = {ends[0], POLLIN, 0};
    (void)!poll(&p, 1, -1);
}
static void in_poll_none(void) { (void)!poll(NULL, 0, 3600000); }
static void in_ppoll(void) {
    struct pollfd p = {ends[0], POLLIN, 0};
    struct timespec ts = {3600, 0};
    sigset_t none;
    sigemptyset(&none);
    (void)!ppoll(&p, 1, &ts, &none);
}
static void in_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval tv = {3600, 0};
    (void)!select(ends[0] + 1, &set, NULL, NULL, &tv);
}
static void in_pselect(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    (void)!pselect(ends[0] + 1, &set, NULL, NULL, NULL, NULL);
}
static void in_epoll_wait(void) {
    struct epoll_event e;
    (void)!epoll_wait(ep, &e, 1, -1);
}
static void in_epoll_pwait(void) {
    struct epoll_event e;
    sigset_t none;
    sigemptyset(&none);
    (void)!epoll_pwait(ep, &e, 1, 3600000, &none);
}

static const struct cancel_point points[] = {
    {"poll", in_poll, NULL},       {"poll_none", in_poll_none, NULL},   {"ppoll", in_ppoll, NULL},
    {"select", in_select, NULL},   {"pselect", in_pselect, NULL},       {"epoll_wait", in_epoll_wait, NULL},
    {"epoll_pwait", in_epoll_pwait, NULL},
};

int main(int argc, char **argv) {
    CHECK_OK(pipe(ends));
    ep = epoll_create1(0);
    CHECK_OK(ep);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e));
    CANCEL_EACH(points);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
    return 0;
}
