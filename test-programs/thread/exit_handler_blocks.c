// An exit handler may join, sleep, lock and create threads while others run; a destructor function too.
#include "rerun.h"

static pthread_t worker;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    sleep_ms(10);
    pthread_mutex_lock(&mutex);
    say((const char *)arg);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void at_exit(void) {
    sleep_ms(2);
    join_thread(worker);
    join_thread(spawn(work, (void *)"two;"));
}

static __attribute__((destructor)) void at_unload(void) {
    if (worker != 0)
        join_thread(spawn(work, (void *)"three;"));
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc == 2) {
        atexit(at_exit);
        worker = spawn(work, (void *)"one;");
        return 4;
    }
    struct outcome o = rerun("child");
    CHECK_EXIT(o, 4);
    CHECK_STR(o.output, "one;two;three;");
    return 0;
}
