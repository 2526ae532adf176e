// Cancellation in pause, sigsuspend, sigwait, sigwaitinfo and sigtimedwait runs cleanup handlers.
#include "cancel.h"

static sigset_t none, usr1;

static void in_pause(void) { pause(); }
static void in_sigsuspend(void) { sigsuspend(&none); }
static void in_sigwait(void) {
    int sig;
    sigwait(&usr1, &sig);
}
static void in_sigwaitinfo(void) { sigwaitinfo(&usr1, NULL); }
static void in_sigtimedwait(void) {
    struct timespec ts = {3600, 0};
    sigtimedwait(&usr1, NULL, &ts);
}

static const struct cancel_point points[] = {
    {"pause", in_pause, NULL},
    {"sigsuspend", in_sigsuspend, NULL},
    {"sigwait", in_sigwait, NULL},
    {"sigwaitinfo", in_sigwaitinfo, NULL},
    {"sigtimedwait", in_sigtimedwait, NULL},
};

int main(int argc, char **argv) {
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &usr1, NULL), 0);
    CANCEL_EACH(points);
    return 0;
}
