// A handler interrupts pause, sigsuspend, sigwaitinfo and sigtimedwait with EINTR, also with SA_RESTART; sigwait goes on.
#include "eintr.h"

static pthread_t waiter;

static int in_pause(void) { return EINTR_RESULT(pause()); }
static int in_sigsuspend(void) {
    sigset_t none;
    sigemptyset(&none);
    return EINTR_RESULT(sigsuspend(&none));
}
static sigset_t usr2(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return set;
}
static int in_sigwaitinfo(void) {
    sigset_t set = usr2();
    return EINTR_RESULT(sigwaitinfo(&set, NULL));
}
static int in_sigtimedwait(void) {
    sigset_t set = usr2();
    struct timespec ts = {3600, 0};
    return EINTR_RESULT(sigtimedwait(&set, NULL, &ts));
}
static int in_sigwait(void) {
    sigset_t set = usr2();
    int sig = 0;
    __atomic_store_n(&waiter, pthread_self(), __ATOMIC_SEQ_CST);
    int rc = sigwait(&set, &sig);
    CHECK_EQ(sig, SIGUSR2);
    return rc;
}
static void send_usr2(void) { CHECK_RC(pthread_kill(waiter, SIGUSR2), 0); }

static const struct eintr_point points[] = {
    {"pause", in_pause, NULL, NEVER_RESTARTED},
    {"sigsuspend", in_sigsuspend, NULL, NEVER_RESTARTED},
    {"sigwaitinfo", in_sigwaitinfo, NULL, NEVER_RESTARTED},
    {"sigtimedwait", in_sigtimedwait, NULL, NEVER_RESTARTED},
    {"sigwait", in_sigwait, send_usr2, UNINTERRUPTED},
};

int main(int argc, char **argv) {
    sigset_t set = usr2();
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    EINTR_EACH(points);
    return 0;
}
