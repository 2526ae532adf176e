// A handler interrupts poll, ppoll, select, pselect, epoll_wait and epoll_pwait with EINTR, also with SA_RESTART.
#include "eintr.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int ends[2], ep;

static int in_poll(void) {
    struct pollfd p = {ends[0], POLLIN, 0};
    return EINTR_RESULT(poll(&p, 1, -1));
}
static int in_poll_timed(void) { return EINTR_RESULT(poll(NULL, 0, 3600000)); }
static int in_ppoll(void) {
    struct pollfd p = {ends[0], POLLIN, 0};
    struct timespec ts = {3600, 0};
    return EINTR_RESULT(ppoll(&p, 1, &ts, NULL));
}
static int in_select(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timeval tv = {3600, 0};
    int rc = select(ends[0] + 1, &set, NULL, NULL, &tv);
    return EINTR_RESULT(rc);
}
static int in_pselect(void) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    return EINTR_RESULT(pselect(ends[0] + 1, &set, NULL, NULL, NULL, NULL));
}
static int in_epoll_wait(void) {
    struct epoll_event e;
    return EINTR_RESULT(epoll_wait(ep, &e, 1, -1));
}
static int in_epoll_pwait(void) {
    struct epoll_event e;
    return EINTR_RESULT(epoll_pwait(ep, &e, 1, 3600000, NULL));
}

static const struct eintr_point points[] = {
    {"poll", in_poll, NULL, NEVER_RESTARTED},
    {"poll_timed", in_poll_timed, NULL, NEVER_RESTARTED},
    {"ppoll", in_ppoll, NULL, NEVER_RESTARTED},
    {"select", in_select, NULL, NEVER_RESTARTED},
    {"pselect", in_pselect, NULL, NEVER_RESTARTED},
    {"epoll_wait", in_epoll_wait, NULL, NEVER_RESTARTED},
    {"epoll_pwait", in_epoll_pwait, NULL, NEVER_RESTARTED},
};

int main(int argc, char **argv) {
    CHECK_OK(pipe(ends));
    ep = epoll_create1(0);
    CHECK_OK(ep);
    struct epoll_event e = {.events = EPOLLIN};
    CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e));
    EINTR_EACH(points);
    return 0;
}
