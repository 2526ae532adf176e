// A program that lists its descriptors sees its own, whatever its threads wait for.
#include "os/channel.h"

static int ends[2];

static void *reads(void *arg) {
    char byte;
    about_to_block(arg);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    return NULL;
}

static void *waits(void *child) {
    int status;
    CHECK_EQ(waitpid(*(pid_t *)child, &status, 0), *(pid_t *)child);
    return NULL;
}

static void *sleeps(void *arg) {
    struct timespec soon;
    CHECK_OK(clock_gettime(CLOCK_REALTIME, &soon));
    soon.tv_sec += 1;
    CHECK_RC(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &soon, NULL), 0);
    return arg;
}

int main(void) {
    int go[2];
    CHECK_OK(pipe2(go, O_CLOEXEC));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        char byte;
        CHECK_OK(close(go[1]));
        _exit(read(go[0], &byte, 1) != 0);
    }
    CHECK_OK(pipe(ends));
    int before = open_fds();
    pid_t blocked = 0;
    pthread_t threads[] = {spawn(reads, &blocked), spawn(waits, &child), spawn(sleeps, NULL)};
    await_blocked(&blocked);
    CHECK_EQ(open_fds(), before);
    // The read goes on without its number.
    CHECK_OK(close(ends[0]));
    CHECK_EQ(open_fds(), before - 1);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_OK(close(go[1]));
    for (int i = 0; i < 3; i++)
        join_thread(threads[i]);
    CHECK_EQ(open_fds(), before - 2);
    return 0;
}
