// posix_spawn's file actions and attributes do what they say, started from a thread.
#include "os/channel.h"
#include <spawn.h>

extern char **environ;

static void *start(void *arg) {
    (void)arg;
    int out[2];
    CHECK_OK(pipe2(out, O_CLOEXEC));
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    CHECK_RC(posix_spawn_file_actions_init(&actions), 0);
    CHECK_RC(posix_spawn_file_actions_adddup2(&actions, out[1], 1), 0);
    CHECK_RC(posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0), 0);
    CHECK_RC(posix_spawnattr_init(&attr), 0);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGUSR2);
    CHECK_RC(posix_spawnattr_setsigmask(&attr, &none), 0);
    CHECK_RC(posix_spawnattr_setsigdefault(&attr, &defaults), 0);
    CHECK_RC(posix_spawnattr_setpgroup(&attr, 0), 0);
    CHECK_RC(posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP), 0);
    pid_t pid;
    char *const args[] = {"sh", "-c", "cat; grep -E '^Sig(Blk|Ign)' /proc/self/status; kill -USR2 $$; echo not here", NULL};
    CHECK_RC(posix_spawn(&pid, "/bin/sh", &actions, &attr, args, environ), 0);
    CHECK_OK(close(out[1]));
    FILE *f = fdopen(out[0], "r");
    char line[80];
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long mask = strtoul(line + 8, NULL, 16);
        CHECK(strncmp(line, "Sig", 3) == 0);
        CHECK_EQ(mask & (1ul << (SIGUSR1 - 1)) & (line[3] == 'B' ? ~0ul : 0), 0);
        CHECK_EQ(mask & (1ul << (SIGUSR2 - 1)), 0);
    }
    fclose(f);
    int status = wait_child(pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGUSR2);
    return NULL;
}

int main(void) {
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigaddset(&block, SIGUSR2);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &block, NULL), 0);
    signal(SIGUSR2, SIG_IGN);
    for (int i = 0; i < 3; i++)
        join_thread(spawn(start, NULL));
    return 0;
}
