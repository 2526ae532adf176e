// pthread_kill, tgkill, raise and pthread_sigqueue run the handler once per signal in the thread that is meant, wherever it is parked; raise and a kill of oneself before they return.
#include "check.h"
#include <poll.h>
#include <semaphore.h>

enum { THREADS = 12, ROUNDS = 20 };
static __thread int my_index = -1;
static int handled[THREADS], wrong, ends[2], stop;
static pid_t tids[THREADS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static volatile int main_handled;

static void on_signal(int sig) {
    (void)sig;
    if (my_index < 0)
        main_handled++;
    else
        __atomic_add_fetch(&handled[my_index], 1, __ATOMIC_SEQ_CST);
}

static void on_value(int sig, siginfo_t *info, void *context) {
    (void)context;
    if (sig != SIGRTMIN || info->si_code != SI_QUEUE || info->si_value.sival_int != my_index || info->si_pid != getpid())
        wrong++;
    on_signal(sig);
}

static void *park(void *arg) {
    my_index = (int)(long)arg;
    __atomic_store_n(&tids[my_index], gettid(), __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        char c;
        struct timespec ts = {3600, 0};
        switch (my_index % 6) {
        case 0:
            (void)!read(ends[0], &c, 1);
            break;
        case 1:
            nanosleep(&ts, NULL);
            break;
        case 2:
            pthread_mutex_lock(&mutex);
            if (!stop)
                pthread_cond_wait(&cond, &mutex);
            pthread_mutex_unlock(&mutex);
            break;
        case 3:
            sem_wait(&sem);
            break;
        case 4:
            poll(NULL, 0, -1);
            break;
        case 5:
            sched_yield();
        }
    }
    return NULL;
}

int main(void) {
    struct sigaction sa = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
    sa.sa_sigaction = on_value;
    sa.sa_flags = SA_SIGINFO;
    CHECK_OK(sigaction(SIGRTMIN, &sa, NULL));
    CHECK_OK(pipe(ends));
    CHECK_OK(sem_init(&sem, 0, 0));
    for (int i = 1; i <= 10; i++) {
        CHECK_OK(raise(SIGUSR1));
        CHECK_EQ(main_handled, 2 * i - 1);
        CHECK_RC(pthread_kill(pthread_self(), SIGUSR1), 0);
        CHECK_EQ(main_handled, 2 * i);
    }
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(park, (void *)i);
    for (int i = 0; i < THREADS; i++)
        EVENTUALLY(__atomic_load_n(&tids[i], __ATOMIC_SEQ_CST) != 0);
    for (int round = 1; round <= ROUNDS; round++)
        for (int i = 0; i < THREADS; i++) {
            switch (round % 3) {
            case 0:
                CHECK_RC(pthread_kill(threads[i], SIGUSR1), 0);
                break;
            case 1:
                CHECK_OK(tgkill(getpid(), tids[i], SIGUSR1));
                break;
            case 2:
                CHECK_RC(pthread_sigqueue(threads[i], SIGRTMIN, (union sigval){.sival_int = i}), 0);
            }
            EVENTUALLY(__atomic_load_n(&handled[i], __ATOMIC_SEQ_CST) == round);
        }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < THREADS; i++) {
        int rc;
        while ((rc = pthread_tryjoin_np(threads[i], NULL)) == EBUSY) {
            pthread_kill(threads[i], SIGUSR1);
            CHECK_OK(sem_post(&sem));
            pthread_mutex_lock(&mutex);
            pthread_cond_broadcast(&cond);
            pthread_mutex_unlock(&mutex);
            sleep_ms(1);
        }
        CHECK_RC(rc, 0);
    }
    CHECK_EQ(wrong, 0);
    CHECK_EQ(main_handled, 20);
    return 0;
}
