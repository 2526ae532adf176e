// A thread parked in read that takes a signal first and a cancellation then, and one cancelled while its handler runs, still run their cleanup handlers once.
#include "check.h"
#include <semaphore.h>

static int ends[2], cleaned, handled, entered;
static sem_t in_handler, go_on;

static void on_signal(int sig) {
    (void)sig;
    __atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

static void on_signal_waiting(int sig) {
    (void)sig;
    sem_post(&in_handler);
    // A cancellation point inside of the handler.
    for (;;)
        sem_wait(&go_on);
}

static void cleanup(void *arg) { *(int *)arg += 1; }

static void *reader(void *arg) {
    char c;
    pthread_cleanup_push(cleanup, &cleaned);
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    while (read(ends[0], &c, 1) != 1) {
    }
    pthread_cleanup_pop(0);
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    CHECK_OK(sem_init(&in_handler, 0, 0));
    CHECK_OK(sem_init(&go_on, 0, 0));
    struct sigaction sa = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    sa.sa_flags = SA_RESTART;
    sa.sa_handler = on_signal_waiting;
    CHECK_OK(sigaction(SIGUSR2, &sa, NULL));
    pthread_t t = spawn(reader, NULL);
    EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
    for (int i = 1; i <= 20; i++) {
        CHECK_RC(pthread_kill(t, SIGUSR1), 0);
        EVENTUALLY(__atomic_load_n(&handled, __ATOMIC_SEQ_CST) == i);
    }
    CHECK_RC(pthread_cancel(t), 0);
    CHECK(join_thread(t) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 1);

    entered = 0;
    t = spawn(reader, NULL);
    EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
    sleep_ms(3);
    CHECK_RC(pthread_kill(t, SIGUSR2), 0);
    while (sem_wait(&in_handler) == -1)
        CHECK_EQ(errno, EINTR);
    CHECK_RC(pthread_cancel(t), 0);
    CHECK(join_thread(t) == PTHREAD_CANCELED);
    CHECK_EQ(cleaned, 2);
    return 0;
}
