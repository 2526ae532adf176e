// execve from a thread replaces the whole process while others are parked, with the same pid; a failed execve lets all go on.
#include "rerun.h"

static void *park(void *arg) {
    sleep(3600);
    return arg;
}

static void *replace(void *arg) {
    char *no[] = {(char *)"x", NULL};
    CHECK_ERR(execv("/nonexistent/program", no), ENOENT);
    char pid[32];
    snprintf(pid, sizeof pid, "%d", getpid());
    execlp("sh", "sh", "-c", "test $$ = $0 && echo same", pid, (char *)NULL);
    _exit(98);
    return arg;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc == 2) {
        for (int i = 0; i < 10; i++)
            spawn(park, NULL);
        sleep_ms(2);
        spawn(replace, NULL);
        pause();
    }
    struct outcome o = rerun("child");
    CHECK_EXIT(o, 0);
    CHECK_STR(o.output, "same\n");
    return 0;
}
