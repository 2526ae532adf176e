// sigaltstack is each thread's own: SA_ONSTACK handlers run on it, SS_ONSTACK and EPERM while there, SS_DISABLE, ENOMEM, EINVAL; a new thread has none; parked targets too.
#include "check.h"
#include <semaphore.h>

enum { SIZE = 32768, THREADS = 10 };
static __thread char *my_stack;
static __thread volatile int runs;
static sem_t sem, waiting;

static void on_signal(int sig) {
    char local;
    stack_t now;
    CHECK_OK(sigaltstack(NULL, &now));
    if (sig == SIGUSR1 && my_stack != NULL) {
        CHECK(&local > my_stack && &local < my_stack + SIZE);
        CHECK_EQ(now.ss_flags & SS_ONSTACK, SS_ONSTACK);
        CHECK(now.ss_sp == my_stack);
        stack_t none = {.ss_flags = SS_DISABLE};
        CHECK_ERR(sigaltstack(&none, NULL), EPERM);
    } else {
        CHECK(my_stack == NULL || &local < my_stack || &local >= my_stack + SIZE);
        CHECK_EQ(now.ss_flags & SS_ONSTACK, 0);
    }
    sched_yield();
    runs++;
}

static void *run(void *arg) {
    stack_t ss, old;
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK_EQ(old.ss_flags, SS_DISABLE);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(runs, 1);
    char *mine = malloc(SIZE);
    CHECK(mine != NULL);
    ss = (stack_t){.ss_sp = mine, .ss_size = 100};
    CHECK_ERR(sigaltstack(&ss, NULL), ENOMEM);
    ss = (stack_t){.ss_sp = mine, .ss_size = SIZE, .ss_flags = 0x77};
    CHECK_ERR(sigaltstack(&ss, NULL), EINVAL);
    ss.ss_flags = 0;
    CHECK_OK(sigaltstack(&ss, NULL));
    my_stack = mine;
    for (int i = 0; i < 20; i++) {
        CHECK_OK(raise(SIGUSR1));
        CHECK_OK(raise(SIGUSR2));
        CHECK_OK(sigaltstack(NULL, &old));
        CHECK(old.ss_sp == mine);
        CHECK_EQ(old.ss_size, SIZE);
        CHECK_EQ(old.ss_flags, 0);
    }
    CHECK_EQ(runs, 41);
    if (arg != NULL) {
        CHECK_OK(sem_post(&waiting));
        while (sem_wait(&sem) == -1)
            CHECK_EQ(errno, EINTR);
        EVENTUALLY(runs == 42);
    }
    ss = (stack_t){.ss_flags = SS_DISABLE};
    CHECK_OK(sigaltstack(&ss, &old));
    CHECK(old.ss_sp == mine);
    my_stack = NULL;
    free(mine);
    int before = runs;
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(runs, before + 1);
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_OK(sem_init(&waiting, 0, 0));
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    sa.sa_flags = 0;
    CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
    run(NULL);
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(run, &sem);
    for (int i = 0; i < THREADS; i++)
        while (sem_wait(&waiting) == -1)
            CHECK_EQ(errno, EINTR);
    sleep_ms(3);
    for (int i = 0; i < THREADS; i++)
        CHECK_RC(pthread_kill(t[i], SIGUSR1), 0);
    // A signal that came just before the wait interrupts nothing: the semaphore ends it.
    for (int i = 0; i < THREADS; i++)
        CHECK_OK(sem_post(&sem));
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    return 0;
}
