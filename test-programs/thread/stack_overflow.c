// A stack overflow in a thread ends the process with SIGSEGV, also with small stacks one after another and with the thread's neighbours alive.
#include "check.h"
#include <sys/resource.h>

#pragma GCC diagnostic ignored "-Winfinite-recursion"

static __attribute__((noinline)) long overflow(long depth) {
    volatile char frame[1024];
    frame[0] = (char)depth;
    long below = overflow(depth + 1);
    return below + frame[0];
}

static void *run_over(void *arg) { return (void *)overflow((long)arg); }

static void *stay(void *arg) {
    sleep(60);
    return arg;
}

int main(void) {
    for (int round = 0; round < 3; round++) {
        fflush(NULL);
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            struct rlimit none = {0, 0};
            setrlimit(RLIMIT_CORE, &none);
            int quiet = open("/dev/null", O_WRONLY);
            dup2(quiet, 2);
            pthread_attr_t attr;
            pthread_attr_init(&attr);
            if (round > 0)
                pthread_attr_setstacksize(&attr, 64 * 1024);
            pthread_t t;
            if (round == 2)
                for (int i = 0; i < 20; i++)
                    pthread_create(&t, &attr, stay, NULL);
            if (pthread_create(&t, &attr, run_over, NULL) != 0)
                _exit(3);
            pthread_join(t, NULL);
            _exit(4);
        }
        int status = wait_child(pid);
        CHECK(WIFSIGNALED(status));
        CHECK_EQ(WTERMSIG(status), SIGSEGV);
    }
    return 0;
}
