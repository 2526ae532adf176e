// What an exec'ed program inherits from a thread: that thread's signal mask, ignored signals, descriptors as flagged,
// and an environment and standard input as they were, blocking.
#include "os/channel.h"

static char self[4096];

static unsigned long signal_bits(const char *field) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long bits = ~0ul;
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            bits = strtoul(line + strlen(field) + 1, NULL, 16);
    fclose(f);
    return bits;
}

static int run_child(char **argv) {
    int kept = atoi(argv[2]), cloexec = atoi(argv[3]);
    sigset_t now;
    CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    for (int sig = 1; sig < 65; sig++)
        if (sig < 32 || sig > 33)
            CHECK_EQ(sigismember(&now, sig), sig == SIGUSR1);
    CHECK_EQ(signal_bits("SigPnd:"), 0);
    CHECK(signal_bits("SigIgn:") & 1ul << (SIGHUP - 1));
    struct sigaction action;
    CHECK_OK(sigaction(SIGUSR2, NULL, &action));
    CHECK(action.sa_handler == SIG_DFL); // handlers are not inherited
    CHECK_OK(fcntl(kept, F_GETFD));
    CHECK_ERR(fcntl(cloexec, F_GETFD), EBADF);
    CHECK_EQ(fcntl(kept, F_GETFL) & O_NONBLOCK, 0);
    // Nothing of the shim's is left open in it.
    for (int fd = 3; fd < 100; fd++)
        if (fd != kept)
            CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
    CHECK_STR(getenv("GREEN_TEST"), "value");
    struct later later = {.fd = kept, .data = "x", .len = 1};
    join_thread(spawn(do_later, &later));
    return 17;
}

static int kept[2], cloexec[2];

static void *start(void *arg) {
    int form = (int)(intptr_t)arg;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
    char a[16], b[16];
    snprintf(a, sizeof a, "%d", kept[1]);
    snprintf(b, sizeof b, "%d", cloexec[0]);
    pid_t pid = form == 0 ? fork() : vfork();
    if (pid == 0) {
        execl(self, self, "child", a, b, NULL);
        _exit(127);
    }
    CHECK_OK(pid);
    CHECK_EQ(wait_child(pid), 17 << 8);
    char c;
    CHECK_EQ(read(kept[0], &c, 1), 1);
    return NULL;
}

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return run_child(argv);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    self[n] = '\0';
    CHECK_OK(close_range(3, ~0u, 0));
    CHECK_OK(pipe(kept));
    CHECK_OK(fcntl(kept[0], F_SETFD, FD_CLOEXEC));
    CHECK_OK(pipe2(cloexec, O_CLOEXEC));
    CHECK_OK(setenv("GREEN_TEST", "value", 1));
    signal(SIGHUP, SIG_IGN);
    on_signal(SIGUSR2, count_signal, 0);
    pthread_t parked = spawn(stay_parked, &cloexec[0]);
    for (int form = 0; form < 2; form++)
        join_thread(spawn(start, (void *)(intptr_t)form));
    CHECK_OK(close(cloexec[1]));
    join_thread(parked);
    return 0;
}
