// exec from a thread, and from main while threads are parked: the new program has the process to itself, same pid.
#include "os/channel.h"

static char self[4096];
static char pid_text[16];

static void *stay_parked(void *arg) {
    char c;
    read(*(int *)arg, &c, 1);
    return NULL;
}

static void *replace(void *arg) {
    (void)arg;
    nap();
    execl(self, self, pid_text, NULL);
    CHECK_FAIL("exec failed");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        CHECK_EQ(getpid(), atoi(argv[1]));
        CHECK_EQ(kernel_threads(), 1);
        struct later later = {.fd = open("/dev/null", O_WRONLY), .data = "x", .len = 1};
        join_thread(spawn(do_later, &later));
        return 23;
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    self[n] = '\0';
    for (int form = 0; form < 2; form++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            int gate[2];
            open_pipe(gate);
            snprintf(pid_text, sizeof pid_text, "%d", (int)getpid());
            for (int i = 0; i < 5; i++)
                spawn(stay_parked, &gate[0]);
            if (form == 0)
                replace(NULL);
            spawn(replace, NULL);
            stay_parked(&gate[0]);
            CHECK_FAIL("not reached");
        }
        CHECK_EQ(wait_child(pid), 23 << 8);
    }
    CHECK_ERR(execl("/no/such/program", "x", NULL), ENOENT);
    struct later later = {.fd = open("/dev/null", O_WRONLY), .data = "x", .len = 1};
    join_thread(spawn(do_later, &later)); // a failed exec changes nothing
    CHECK_ERR(execl("/dev/null", "x", NULL), EACCES);
    return 0;
}
