// Signals of the CPU-time timers (ITIMER_PROF, ITIMER_VIRTUAL) interrupt the thread that computes, with its program counter, as profilers need it; not one that waits.
#include "check.h"
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

extern char __executable_start, etext;
static volatile int hits_inside, hits;
static pthread_t computing;
static volatile int strangers;

static void on_tick(int signal, siginfo_t *info, void *context) {
    (void)signal;
    (void)info;
    char *pc = (char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    hits++;
    hits_inside += pc >= &__executable_start && pc < &etext;
    strangers += !pthread_equal(pthread_self(), computing);
}

static void *compute(void *arg) {
    volatile double x = 1;
    computing = pthread_self();
    while (!__atomic_load_n((int *)arg, __ATOMIC_SEQ_CST))
        for (int i = 0; i < 1000; i++)
            x = x * 1.0000001 + 0.5;
    return NULL;
}

static void *wait_here(void *arg) {
    CHECK(read(*(int *)arg, &(char){0}, 1) == 0);
    return NULL;
}

static void enough(void) {
    hits = hits_inside = strangers = 0;
    int stop = 0, ends[2];
    CHECK_OK(pipe(ends));
    pthread_t waiting = spawn(wait_here, &ends[0]), t = spawn(compute, &stop);
    EVENTUALLY(hits >= 20);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    join_thread(t);
    close(ends[1]);
    join_thread(waiting);
    close(ends[0]);
    // Some ticks come while libc or the scheduler runs.
    CHECK(hits_inside * 2 > hits);
    CHECK(strangers * 2 < hits);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGPROF, &action, NULL));
    CHECK_OK(sigaction(SIGVTALRM, &action, NULL));
    struct itimerval fast = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    CHECK_OK(setitimer(ITIMER_PROF, &fast, NULL));
    enough();
    CHECK_OK(setitimer(ITIMER_PROF, &off, NULL));
    CHECK_OK(setitimer(ITIMER_VIRTUAL, &fast, NULL));
    enough();
    CHECK_OK(setitimer(ITIMER_VIRTUAL, &off, NULL));
    return 0;
}
