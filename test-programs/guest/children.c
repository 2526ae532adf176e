// Tasks of another hub wait for children by waitpid, waitid, wait4, system and popen; a forked child's tasks go on as well.
#include "hub.h"
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;
static int beside, ended, in_child;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void counter(void *arg) {
    (void)arg;
    while (ended < 4) {
        beside++;
        hub_pause();
    }
}

static pid_t child_that_ends(int status) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        // The child has all the tasks, and would run others meanwhile.
        greenpatch_guest(NULL, NULL);
        usleep(20000);
        _exit(status);
    }
    return pid;
}

static void by_waitpid(void *arg) {
    int status = -1, want = (int)(intptr_t)arg;
    pid_t pid = child_that_ends(want);
    if (want % 2 == 0) {
        CHECK_EQ(waitpid(pid, &status, 0), pid);
    } else {
        struct rusage usage = {.ru_maxrss = -1};
        CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
        CHECK(usage.ru_maxrss > 0);
    }
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), want);
    CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void by_waitid(void *arg) {
    (void)arg;
    pid_t pid = child_that_ends(9);
    siginfo_t info = {0};
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_status, 9);
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

static void by_libc(void *arg) {
    (void)arg;
    int status = system("sleep 0.05; exit 3");
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 3);
    FILE *out = popen("sleep 0.05; echo here", "r");
    CHECK(out != NULL);
    char line[32] = "";
    CHECK(fgets(line, sizeof line, out) != NULL);
    CHECK_STR(line, "here\n");
    CHECK_EQ(pclose(out), 0);
    pid_t pid;
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"read x; exit 4", NULL};
    int fds[2];
    CHECK_OK(pipe2(fds, O_CLOEXEC));
    posix_spawn_file_actions_t actions;
    CHECK_RC(posix_spawn_file_actions_init(&actions), 0);
    CHECK_RC(posix_spawn_file_actions_adddup2(&actions, fds[0], 0), 0);
    CHECK_RC(posix_spawnp(&pid, "sh", &actions, NULL, argv, environ), 0);
    hub_pause();
    CHECK_EQ(write(fds[1], "\n", 1), 1);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 4);
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
}

// A task that waits for a lock while another one forks gets it in both processes.
static void holder(void *arg) {
    (void)arg;
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    hub_pause();
    hub_pause();
    pid_t pid = fork();
    CHECK_OK(pid);
    in_child = pid == 0;
    hub_pause();
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    if (pid != 0)
        CHECK_EQ(wait_child(pid), 0);
    ended = 10;
}

static void wanter(void *arg) {
    (void)arg;
    hub_pause();
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    while (ended != 10)
        hub_pause();
}

int main(void) {
    hub_init();
    setbuf(stdout, NULL);
    hub_spawn(counter, NULL);
    hub_spawn(by_waitpid, (void *)4);
    hub_spawn(by_waitpid, (void *)5);
    hub_spawn(by_waitid, NULL);
    hub_spawn(by_libc, NULL);
    hub_run();
    CHECK(!hub_is_guest || beside > 0);
    if (hub_is_guest) {
        hub_spawn(holder, NULL);
        hub_spawn(wanter, NULL);
        hub_run();
        if (in_child)
            return 0;
    }
    printf("%d waits\n", hub_waits);
}
