// A handler ends every call that waits with EINTR; with SA_RESTART those go on that the kernel restarts, and no others.
#include "rules/points.h"

static int handled;

static void count(int signal) {
    (void)signal;
    __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static void handle(int flags) {
    struct sigaction action = {.sa_handler = count, .sa_flags = flags};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
}

static void send_one(pthread_t thread) {
    int before = __atomic_load_n(&handled, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_kill(thread, SIGUSR1), 0);
    EVENTUALLY(__atomic_load_n(&handled, __ATOMIC_SEQ_CST) > before);
}

static void ends(const struct point *point) {
    struct attempt a;
    pthread_t thread = begin(&a, point, 1000000);
    // The first signal may come before the call.
    while (!has_returned(&a)) {
        CHECK_RC(pthread_kill(thread, SIGUSR1), 0);
        sleep_ms(1);
    }
    join_thread(thread);
    if (a.result != -1 || a.error != EINTR)
        CHECK_FAIL("%s: %ld (%s), want EINTR", point->name, a.result, strerror(a.error));
    // What it waited for is as it was: the same call waits again, and gets it.
    if (point->release != NULL && point->call != in_connect) {
        a.returned = 0, a.tid = 0;
        thread = spawn(attempts, &a);
        await_blocked(&a.tid);
        still_waits(&a, "after it was interrupted once");
        finish(&a, thread);
    } else if (point->call == in_connect) {
        accept_one(&a.object);
    }
    unmake(point, &a.object);
}

static void goes_on(const struct point *point) {
    struct attempt a;
    pthread_t thread = begin(&a, point, 1000000);
    for (int i = 0; i < 3; i++) {
        send_one(thread);
        sleep_ms(1);
    }
    still_waits(&a, "after a handler with SA_RESTART");
    finish(&a, thread);
    unmake(point, &a.object);
}

int main(int argc, char **argv) {
    handle(0);
    EACH_POINT(0, 0, ends);
    handle(SA_RESTART);
    EACH_POINT(RESTARTS, 0, goes_on);
    EACH_POINT(0, RESTARTS, ends);
    return 0;
}
