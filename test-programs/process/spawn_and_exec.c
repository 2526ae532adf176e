// vfork with exec, posix_spawn, system and popen from several threads at once, while others are parked.
#include "os/channel.h"
#include <spawn.h>

extern char **environ;
enum { THREADS = 6, ROUNDS = 4 };

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void *start_programs(void *arg) {
    int id = (int)(intptr_t)arg;
    for (int round = 0; round < ROUNDS; round++) {
        int code = id * 10 + round + 1, status;
        char text[64];
        snprintf(text, sizeof text, "exit %d", code);
        char *const args[] = {"sh", "-c", text, NULL};

        pid_t pid = vfork();
        if (pid == 0) {
            execve("/bin/sh", args, environ);
            _exit(127);
        }
        CHECK_OK(pid);
        CHECK_EQ(wait_child(pid), code << 8);

        CHECK_RC(posix_spawn(&pid, "/bin/sh", NULL, NULL, args, environ), 0);
        CHECK_EQ(wait_child(pid), code << 8);
        CHECK_RC(posix_spawnp(&pid, "no-such-program", NULL, NULL, args, environ), ENOENT);

        CHECK_OK(status = system(text));
        CHECK_EQ(status, code << 8);

        FILE *f = popen("echo hello; sleep 0.01; echo there", "r");
        CHECK(f != NULL);
        char line[64];
        CHECK_STR(fgets(line, sizeof line, f), "hello\n");
        CHECK_STR(fgets(line, sizeof line, f), "there\n");
        CHECK(fgets(line, sizeof line, f) == NULL);
        CHECK_EQ(pclose(f), 0);
        f = popen("read line; test \"$line\" = word && exit 5", "w");
        CHECK(f != NULL);
        CHECK(fputs("word\n", f) >= 0);
        CHECK_EQ(pclose(f), 5 << 8);
    }
    return NULL;
}

int main(void) {
    // A folder that may not be read makes it EACCES.
    CHECK_OK(setenv("PATH", "/usr/bin:/bin", 1));
    int gate[2];
    CHECK_OK(pipe2(gate, O_CLOEXEC));
    pthread_t parked = spawn(stay_parked, &gate[0]), t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(start_programs, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
