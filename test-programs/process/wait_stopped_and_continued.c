// Stopped, continued and killed children are told with WUNTRACED and WCONTINUED, while another thread sends the signals.
#include "os/channel.h"

static int next_signal;

static void send_signal(int pid) { CHECK_OK(kill(pid, next_signal)); }

int main(void) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0)
        for (;;)
            pause();
    int status;
    siginfo_t info;
    struct later later = {.fd = pid, .act = send_signal};
    for (int form = 0; form < 2; form++) {
        next_signal = SIGSTOP;
        pthread_t t = spawn(do_later, &later);
        if (form == 0) {
            CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
            CHECK(WIFSTOPPED(status));
            CHECK_EQ(WSTOPSIG(status), SIGSTOP);
        } else {
            CHECK_OK(waitid(P_ALL, 0, &info, WSTOPPED | WEXITED));
            CHECK_EQ(info.si_code, CLD_STOPPED);
            CHECK_EQ(info.si_pid, pid);
        }
        join_thread(t);
        next_signal = SIGCONT;
        t = spawn(do_later, &later);
        if (form == 0) {
            CHECK_EQ(waitpid(-1, &status, WCONTINUED), pid);
            CHECK(WIFCONTINUED(status));
        } else {
            CHECK_OK(waitid(P_PID, pid, &info, WCONTINUED));
            CHECK_EQ(info.si_code, CLD_CONTINUED);
        }
        join_thread(t);
    }
    next_signal = SIGKILL;
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(waitpid(pid, &status, WUNTRACED | WCONTINUED), pid);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGKILL);
    join_thread(t);
    return 0;
}
