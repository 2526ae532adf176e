// Every way to end while threads are parked, from main and from a thread: the status is right, nothing hangs.
#include "os/channel.h"
#include <sys/resource.h>

static int gate[2], report[2], form;

static void *stay_parked(void *arg) {
    char c;
    read(*(int *)arg, &c, 1);
    return NULL;
}

static void say(const char *text) { CHECK_EQ(write(report[1], text, strlen(text)), strlen(text)); }

// A handler that waits for another thread's byte still gets it.
static void at_exit_with_io(void) {
    if (form / 2 == 7) { // where the last thread has ended, glibc takes the end of a new one for the end of all
        say("handler ");
        return;
    }
    int end[2];
    char c;
    open_pipe(end);
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(read(end[0], &c, 1), 1);
    join_thread(t);
    say("handler ");
}

static void at_quick_exit_say(void) { say("quick "); }

static FILE *buffered;
static int *volatile bad = (int *)8;

static void *end_process(void *arg) {
    (void)arg;
    nap();
    switch (form / 2) {
    case 0:
        exit(11);
    case 1:
        _exit(12);
    case 2:
        quick_exit(13);
    case 3:
        abort();
    case 4:
        raise(SIGTERM);
        break;
    case 5:
        *bad = 1;
        break;
    case 6:
        syscall(SYS_exit_group, 15);
        break;
    case 7:
        pthread_exit(NULL); // the last one: status 0
    }
    return NULL;
}

static int run_child(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    CHECK_EQ(atexit(at_exit_with_io), 0);
    CHECK_EQ(at_quick_exit(at_quick_exit_say), 0);
    CHECK((buffered = fdopen(dup(report[1]), "w")) != NULL);
    fputs("flushed ", buffered);
    if (form / 2 != 7)
        for (int i = 0; i < 5; i++)
            spawn(stay_parked, &gate[0]);
    if (form == 16)
        return 14;
    pthread_t t;
    if (form % 2 == 0)
        end_process(NULL);
    CHECK_RC(pthread_create(&t, NULL, end_process, NULL), 0);
    if (form / 2 == 7)
        pthread_exit(NULL);
    stay_parked(&gate[0]);
    return 99;
}

int main(void) {
    const int status[] = {11 << 8, 12 << 8, 13 << 8, SIGABRT, SIGTERM, SIGSEGV, 15 << 8, 0, 14 << 8};
    const char *const said[] = {"handler flushed ", "", "quick ", "", "", "", "", "handler flushed ", "handler flushed "};
    open_pipe(gate);
    for (form = 0; form <= 16; form++) {
        open_pipe(report);
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0)
            exit(run_child());
        CHECK_OK(close(report[1]));
        char text[100];
        size_t len = 0;
        ssize_t n;
        while ((n = read(report[0], text + len, sizeof text - 1 - len)) > 0)
            len += n;
        text[len] = '\0';
        int got = wait_child(pid) & ~0x80; // core or not
        if (got != status[form / 2] || strcmp(text, said[form / 2]) != 0)
            CHECK_FAIL("form %d: status %x, said \"%s\"", form, got, text);
        CHECK_OK(close(report[0]));
    }
    return 0;
}
