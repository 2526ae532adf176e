// The first call for which main ever gives way is its own end: other threads see it, join it and go on.
#include "check.h"

static pthread_t main_thread;

static void *survive(void *arg) {
    void *result = NULL;
    CHECK_RC(pthread_join(main_thread, &result), 0);
    CHECK(result == &main_thread);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), getpid(), 0), 0);
    sleep_ms(1);
    puts("ok");
    // The thread that ends last, not by exit(): the process ends with it.
    syscall(SYS_exit, 3);
    return arg;
}

int main(void) {
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        main_thread = pthread_self();
        spawn(survive, NULL);
        pthread_exit(&main_thread);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    // Before Linux 5.19, the status of its first one.
    CHECK(WEXITSTATUS(status) == 3 || WEXITSTATUS(status) == 0);
    return 0;
}
