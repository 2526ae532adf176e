// SIGCHLD handlers run while a thread waits; other signals interrupt or restart the wait; ignored children vanish.
#include "os/channel.h"

static volatile sig_atomic_t children_seen;
static void on_child(int sig, siginfo_t *info, void *context) {
    (void)context;
    if (sig == SIGCHLD && info->si_code == CLD_EXITED)
        children_seen++;
}

static pid_t child_after(int *gate) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        char c;
        read(gate[0], &c, 1);
        _exit(0);
    }
    return pid;
}

int main(void) {
    int gate[2];
    open_pipe(gate);
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGCHLD, &action, NULL));
    struct later later = {.fd = gate[1], .data = "x", .len = 1};
    for (int i = 0; i < 5; i++) {
        pid_t pid = child_after(gate);
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(wait_child(pid), 0);
        EVENTUALLY(children_seen == i + 1);
        join_thread(t);
    }

    signal(SIGCHLD, SIG_DFL);
    pid_t pid = child_after(gate);
    int status;
    CHECK_INTERRUPTED(waitpid(pid, &status, 0));
    CHECK_INTERRUPTED(waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED));
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(wait_child(pid), 0);
    join_thread(t);

    // With SIGCHLD ignored, wait comes back when the last child has gone, with ECHILD.
    signal(SIGCHLD, SIG_IGN);
    child_after(gate);
    t = spawn(do_later, &later);
    CHECK_ERR(wait(&status), ECHILD);
    join_thread(t);
    return 0;
}
