// return from main, exit, _exit, quick_exit and abort, from main and from threads, end the process at once with the right status while other threads are parked everywhere.
#include "rerun.h"
#include <poll.h>
#include <semaphore.h>

static int ends[2];
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

static void *park(void *arg) {
    char c;
    switch ((long)arg % 6) {
    case 0:
        (void)!read(ends[0], &c, 1);
        break;
    case 1:
        sem_wait(&sem);
        break;
    case 2:
        sleep(3600);
        break;
    case 3:
        pthread_mutex_lock(&mutex);
        pthread_cond_wait(&cond, &mutex);
        break;
    case 4:
        poll(NULL, 0, -1);
        break;
    case 5:
        pause();
    }
    CHECK_FAIL("came back");
}

static void at_exit(void) { say("at-exit;"); }
static void on_quick_exit(void) { say("at-quick-exit;"); }

static void *leave(void *arg) {
    const char *how = arg;
    if (strstr(how, "-exit"))
        exit(7);
    if (strstr(how, "-_exit"))
        _exit(8);
    if (strstr(how, "-quick"))
        quick_exit(9);
    if (strstr(how, "-abort"))
        abort();
    if (strstr(how, "-raise"))
        raise(SIGTERM);
    if (strstr(how, "-kill"))
        pthread_kill(pthread_self(), SIGINT);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        atexit(at_exit);
        CHECK_EQ(at_quick_exit(on_quick_exit), 0);
        CHECK_OK(pipe(ends));
        CHECK_OK(sem_init(&sem, 0, 0));
        for (long i = 0; i < 30; i++)
            spawn(park, (void *)i);
        sleep_ms(3);
        if (strncmp(argv[1], "thread", 6) == 0) {
            spawn(leave, argv[1]);
            for (;;)
                pause();
        }
        leave(argv[1]);
        return 6;
    }
    struct outcome o = rerun("main-return");
    CHECK_EXIT(o, 6);
    CHECK_STR(o.output, "at-exit;");
    const char *sides[] = {"main", "thread"};
    for (int i = 0; i < 2; i++) {
        char how[32];
        snprintf(how, sizeof how, "%s-exit", sides[i]);
        o = rerun(how);
        CHECK_EXIT(o, 7);
        CHECK_STR(o.output, "at-exit;");
        snprintf(how, sizeof how, "%s-_exit", sides[i]);
        o = rerun(how);
        CHECK_EXIT(o, 8);
        CHECK_STR(o.output, "");
        snprintf(how, sizeof how, "%s-quick", sides[i]);
        o = rerun(how);
        CHECK_EXIT(o, 9);
        CHECK_STR(o.output, "at-quick-exit;");
        snprintf(how, sizeof how, "%s-abort", sides[i]);
        o = rerun(how);
        CHECK_KILLED(o, SIGABRT);
        snprintf(how, sizeof how, "%s-raise", sides[i]);
        o = rerun(how);
        CHECK_KILLED(o, SIGTERM);
        snprintf(how, sizeof how, "%s-kill", sides[i]);
        o = rerun(how);
        CHECK_KILLED(o, SIGINT);
    }
    return 0;
}
