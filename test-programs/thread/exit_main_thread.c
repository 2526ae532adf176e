// pthread_exit in main: the other threads live on, the process ends with status 0 and runs its exit handlers when the last has ended.
#include "rerun.h"

static int left = 20;

static void at_exit(void) { say("exit-handler"); }

static void *live_on(void *arg) {
    sleep_ms(10 + (long)arg);
    if (__atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST) == 0)
        say("last;");
    return NULL;
}

static void *joins_main(void *arg) {
    void *result = NULL;
    CHECK_RC(pthread_join(*(pthread_t *)arg, &result), 0);
    CHECK_EQ((long)result, 5);
    say("joined;");
    return NULL;
}

static pthread_t main_thread;

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "others") == 0) {
        atexit(at_exit);
        for (long i = 0; i < 20; i++)
            spawn(live_on, (void *)i);
        pthread_exit(NULL);
    }
    if (argc == 2 && strcmp(argv[1], "joined") == 0) {
        main_thread = pthread_self();
        spawn(joins_main, &main_thread);
        sleep_ms(2);
        pthread_exit((void *)5);
    }
    if (argc == 2 && strcmp(argv[1], "at-once") == 0) {
        // Main ends before anybody else has run.
        main_thread = pthread_self();
        spawn(joins_main, &main_thread);
        pthread_exit((void *)5);
    }
    if (argc == 2 && strcmp(argv[1], "alone") == 0) {
        atexit(at_exit);
        pthread_exit(NULL);
    }
    struct outcome o = rerun("others");
    CHECK_EXIT(o, 0);
    CHECK_STR(o.output, "last;exit-handler");
    o = rerun("joined");
    CHECK_EXIT(o, 0);
    CHECK_STR(o.output, "joined;");
    o = rerun("at-once");
    CHECK_EXIT(o, 0);
    CHECK_STR(o.output, "joined;");
    o = rerun("alone");
    CHECK_EXIT(o, 0);
    CHECK_STR(o.output, "exit-handler");
    return 0;
}
