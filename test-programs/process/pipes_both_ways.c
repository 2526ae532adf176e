// Many threads each feed a filter of their own through pipes both ways: all bytes come back, each thread its own.
#include "os/channel.h"
#include <spawn.h>

extern char **environ;
enum { THREADS = 20, SIZE = 100000 };

static void *feed(void *arg) {
    int *fd = arg;
    char *data = malloc(SIZE);
    CHECK(data != NULL);
    fill(data, SIZE, fd[1]);
    write_whole(fd[0], data, SIZE);
    CHECK_OK(close(fd[0]));
    free(data);
    return NULL;
}

static void *filter(void *arg) {
    int to[2], from[2];
    uint32_t seed = (uint32_t)(intptr_t)arg;
    CHECK_OK(pipe2(to, O_CLOEXEC));
    CHECK_OK(pipe2(from, O_CLOEXEC));
    posix_spawn_file_actions_t actions;
    CHECK_RC(posix_spawn_file_actions_init(&actions), 0);
    CHECK_RC(posix_spawn_file_actions_adddup2(&actions, to[0], 0), 0);
    CHECK_RC(posix_spawn_file_actions_adddup2(&actions, from[1], 1), 0);
    pid_t pid;
    char *const args[] = {"cat", NULL};
    CHECK_RC(posix_spawnp(&pid, "cat", &actions, NULL, args, environ), 0);
    CHECK_OK(close(to[0]));
    CHECK_OK(close(from[1]));
    int feed_arg[2] = {to[1], (int)seed};
    pthread_t t = spawn(feed, feed_arg);
    char *data = malloc(SIZE), c;
    CHECK(data != NULL);
    read_whole(from[0], data, SIZE);
    check_filled(data, SIZE, seed);
    CHECK_EQ(read(from[0], &c, 1), 0);
    join_thread(t);
    CHECK_EQ(wait_child(pid), 0);
    CHECK_OK(close(from[0]));
    free(data);
    return NULL;
}

int main(void) {
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(filter, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    return 0;
}
