// Several threads in waitpid(-1) and some for one child each: every child is reported once, and to the one that asked.
#include "os/channel.h"

enum { ANY = 4, CHILDREN = 24, OWN = 6 };

static int reported[CHILDREN];
static pid_t pids[CHILDREN], own_pids[OWN];

static void *wait_any(void *arg) {
    (void)arg;
    long mine = 0;
    for (;;) {
        int status;
        pid_t pid = waitpid(0, &status, 0); // of the first group only
        if (pid == -1) {
            CHECK_EQ(errno, ECHILD);
            return (void *)mine;
        }
        CHECK(WIFEXITED(status));
        int number = WEXITSTATUS(status);
        CHECK(number < CHILDREN);
        CHECK_EQ(pids[number], pid);
        CHECK_EQ(__atomic_add_fetch(&reported[number], 1, __ATOMIC_SEQ_CST), 1);
        mine++;
    }
}

static void *wait_own(void *arg) {
    int number = (int)(intptr_t)arg;
    int status = wait_child(own_pids[number]);
    CHECK_EQ(status, (100 + number) << 8);
    return NULL;
}

int main(void) {
    int gate[2], ready[2];
    char c;
    open_pipe(gate);
    open_pipe(ready);
    for (int i = 0; i < CHILDREN + OWN; i++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            if (i >= CHILDREN)
                CHECK_OK(setpgid(0, 0));
            CHECK_EQ(write(ready[1], "r", 1), 1);
            CHECK_EQ(read(gate[0], &c, 1), 1);
            _exit(i < CHILDREN ? i : 100 + i - CHILDREN);
        }
        if (i < CHILDREN)
            pids[i] = pid;
        else
            own_pids[i - CHILDREN] = pid;
    }
    for (int i = 0; i < CHILDREN + OWN; i++)
        CHECK_EQ(read(ready[0], &c, 1), 1);
    pthread_t any[ANY], own[OWN];
    for (int i = 0; i < OWN; i++)
        own[i] = spawn(wait_own, (void *)(intptr_t)i);
    for (int i = 0; i < ANY; i++)
        any[i] = spawn(wait_any, NULL);
    nap();
    for (int i = 0; i < CHILDREN + OWN; i++)
        CHECK_EQ(write(gate[1], "x", 1), 1);
    long total = 0;
    for (int i = 0; i < ANY; i++)
        total += (long)join_thread(any[i]);
    CHECK_EQ(total, CHILDREN);
    for (int i = 0; i < OWN; i++)
        join_thread(own[i]);
    return 0;
}
