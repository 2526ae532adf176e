// A handler whose alternate stack can't be written does not run: a SIGSEGV comes instead, whose handler has the ordinary stack; without one the process dies of it.
#include "../thread/rerun.h"
#include <signal.h>
#include <sys/mman.h>

static volatile sig_atomic_t usr1, segv, code;

static void on_usr1(int signal) {
    (void)signal;
    usr1++;
}

static void on_segv(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)context;
    segv++;
    code = info->si_code;
}

static void *run(void *arg) {
    size_t size = 64 * 1024;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    stack_t stack = {.ss_sp = memory, .ss_size = size};
    CHECK_OK(sigaltstack(&stack, NULL));
    struct sigaction action = {.sa_handler = on_usr1, .sa_flags = SA_ONSTACK};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_RC(pthread_kill(pthread_self(), SIGUSR1), 0);
    CHECK_EQ(usr1, 1);
    CHECK_OK(mprotect(memory, size, PROT_READ));
    CHECK_RC(pthread_kill(pthread_self(), SIGUSR1), 0);
    if (arg != NULL)
        return arg;
    CHECK_EQ(usr1, 1);
    CHECK_EQ(segv, 1);
    CHECK_EQ(code, SI_KERNEL);
    CHECK_OK(mprotect(memory, size, PROT_READ | PROT_WRITE));
    CHECK_RC(pthread_kill(pthread_self(), SIGUSR1), 0);
    CHECK_EQ(usr1, 2);
    return arg;
}

static void *wait_here(void *arg) {
    pause();
    return arg;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        spawn(wait_here, NULL);
        join_thread(spawn(run, argv[1]));
        return 0;
    }
    struct outcome o = rerun("dies");
    CHECK_KILLED(o, SIGSEGV);
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
    CHECK_OK(sigaction(SIGSEGV, &action, NULL));
    join_thread(spawn(run, NULL));
    segv = usr1 = 0;
    run(NULL);
    return 0;
}
