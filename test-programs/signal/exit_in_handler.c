// exit, _exit and pthread_exit called in a handler that interrupted a parked thread or main do what they do elsewhere.
#include "thread/rerun.h"

static const char *how;

static void on_exit_handler(void) { say("at-exit;"); }

static void on_signal(int sig) {
    (void)sig;
    if (strstr(how, "exit1"))
        exit(31);
    if (strstr(how, "exit2"))
        _exit(32);
    pthread_exit((void *)33);
}

static void *park(void *arg) {
    for (;;)
        sleep(3600);
    return arg;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        how = argv[1];
        atexit(on_exit_handler);
        CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
        pthread_t other = spawn(park, NULL), t = spawn(park, NULL);
        (void)other;
        sleep_ms(3);
        if (strncmp(how, "main", 4) == 0)
            raise(SIGUSR1);
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        CHECK_EQ((long)join_thread(t), 33);
        say("joined;");
        exit(34);
    }
    struct outcome o = rerun("main-exit1");
    CHECK_EXIT(o, 31);
    CHECK_STR(o.output, "at-exit;");
    o = rerun("main-exit2");
    CHECK_EXIT(o, 32);
    CHECK_STR(o.output, "");
    o = rerun("thread-exit1");
    CHECK_EXIT(o, 31);
    CHECK_STR(o.output, "at-exit;");
    o = rerun("thread-exit2");
    CHECK_EXIT(o, 32);
    CHECK_STR(o.output, "");
    o = rerun("thread-leave");
    CHECK_EXIT(o, 34);
    CHECK_STR(o.output, "joined;at-exit;");
    return 0;
}
