// A SIGCHLD handler that reaps with WNOHANG sees every one of 60 children, while the threads that made them are parked.
#include "check.h"
#include <semaphore.h>

enum { THREADS = 6, CHILDREN = 10 };
static int reaped, codes[256];
static sem_t one_gone;

static void on_child(int sig, siginfo_t *info, void *context) {
    int saved = errno, status;
    (void)context;
    CHECK_EQ(sig, SIGCHLD);
    CHECK(info->si_code == CLD_EXITED);
    while (waitpid(-1, &status, WNOHANG) > 0) {
        CHECK(WIFEXITED(status));
        __atomic_add_fetch(&codes[WEXITSTATUS(status)], 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&reaped, 1, __ATOMIC_SEQ_CST);
        CHECK_OK(sem_post(&one_gone));
    }
    errno = saved;
}

static void *make_children(void *arg) {
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0)
            _exit((int)(long)arg * CHILDREN + i);
        while (sem_wait(&one_gone) == -1)
            CHECK_EQ(errno, EINTR);
    }
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&one_gone, 0, 0));
    struct sigaction sa = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP};
    CHECK_OK(sigaction(SIGCHLD, &sa, NULL));
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++)
        t[i] = spawn(make_children, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    EVENTUALLY(__atomic_load_n(&reaped, __ATOMIC_SEQ_CST) == THREADS * CHILDREN);
    for (int i = 0; i < THREADS * CHILDREN; i++)
        CHECK_EQ(codes[i], 1);
    CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
    return 0;
}
