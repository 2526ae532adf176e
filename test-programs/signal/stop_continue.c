// A process stopped by SIGSTOP and continued goes on: sleeps, reads and waits return as if nothing had been; a SIGCONT handler runs.
#include "check.h"
#include <sys/mman.h>

static volatile int continued;
static int ends[2];

static void on_continue(int sig) {
    (void)sig;
    continued++;
}

static void *sleeps(void *arg) {
    sleep_ms(60);
    return arg;
}

static void *reads(void *arg) {
    char c = 0;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'g');
    return arg;
}

int main(void) {
    int *ready = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ready != MAP_FAILED);
    CHECK_OK(pipe(ends));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        struct sigaction sa = {.sa_handler = on_continue, .sa_flags = SA_RESTART};
        CHECK_OK(sigaction(SIGCONT, &sa, NULL));
        pthread_t s = spawn(sleeps, NULL), r = spawn(reads, NULL);
        __atomic_store_n(ready, 1, __ATOMIC_SEQ_CST);
        join_thread(s);
        join_thread(r);
        CHECK(continued > 0);
        _exit(continued > 0 ? 12 : 13);
    }
    EVENTUALLY(__atomic_load_n(ready, __ATOMIC_SEQ_CST) == 1);

    for (int i = 0; i < 3; i++) {
        int status;
        CHECK_OK(kill(pid, SIGSTOP));
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(WSTOPSIG(status), SIGSTOP);
        CHECK_OK(kill(pid, SIGCONT));
        CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
        CHECK(WIFCONTINUED(status));
    }
    CHECK_EQ(write(ends[1], "g", 1), 1);
    int status = wait_child(pid);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 12);
    return 0;
}
