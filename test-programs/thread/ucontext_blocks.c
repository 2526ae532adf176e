// Main and threads that run on stacks of their own making (makecontext, an alternate signal stack) block there and come back.
#include "check.h"
#include <semaphore.h>
#include <ucontext.h>

static sem_t sem;

struct fiber {
    ucontext_t home, away;
    char stack[65536];
    int steps, ends[2];
};

static void on_fiber(unsigned high, unsigned low) {
    struct fiber *f = (struct fiber *)(((uintptr_t)high << 32) | low);
    for (int i = 0; i < 3; i++) {
        char c = 0;
        sleep_ms(1);
        f->steps++;
        CHECK_EQ(read(f->ends[0], &c, 1), 1);
        f->steps++;
        CHECK_OK(sem_wait(&sem));
        CHECK_OK(sem_post(&sem));
        swapcontext(&f->away, &f->home);
    }
}

static void *feed(void *arg) {
    int fd = *(int *)arg;
    for (int i = 0; i < 3; i++) {
        sleep_ms(2);
        CHECK_EQ(write(fd, "x", 1), 1);
    }
    return NULL;
}

static void *run(void *arg) {
    struct fiber *f = calloc(1, sizeof *f);
    CHECK_OK(pipe(f->ends));
    CHECK_OK(getcontext(&f->away));
    f->away.uc_stack.ss_sp = f->stack;
    f->away.uc_stack.ss_size = sizeof f->stack;
    f->away.uc_link = &f->home;
    makecontext(&f->away, (void (*)(void))on_fiber, 2, (unsigned)((uintptr_t)f >> 32), (unsigned)(uintptr_t)f);
    pthread_t feeder = spawn(feed, &f->ends[1]);
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(swapcontext(&f->home, &f->away));
        CHECK_EQ(f->steps, 2 * i);
    }
    join_thread(feeder);
    CHECK_OK(swapcontext(&f->home, &f->away));
    free(f);
    return arg;
}

static volatile int handled;
static void on_signal(int sig) {
    (void)sig;
    sleep_ms(2);
    CHECK_OK(sem_wait(&sem));
    CHECK_OK(sem_post(&sem));
    handled++;
}

int main(void) {
    CHECK_OK(sem_init(&sem, 0, 1));
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        t[i] = spawn(run, NULL);
    run(NULL);
    static char alternate[65536];
    stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};
    CHECK_OK(sigaltstack(&ss, NULL));
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(handled, 1);
    for (int i = 0; i < 5; i++)
        join_thread(t[i]);
    return 0;
}
