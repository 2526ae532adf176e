// siglongjmp out of a handler leaves read, sleep, a semaphore wait and a computation; the mask is restored, the thread works on, many times.
#include "check.h"
#include <semaphore.h>
#include <setjmp.h>

static int ends[2];
static sem_t sem;
static __thread sigjmp_buf back;
static __thread volatile int armed;
static int jumps[4], stop;

static void on_signal(int sig) {
    (void)sig;
    if (armed) {
        armed = 0;
        siglongjmp(back, 1);
    }
}

static void *run(void *arg) {
    long me = (long)arg;
    sigset_t set;
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        if (sigsetjmp(back, 1) == 0) {
            armed = 1;
            char c;
            switch (me) {
            case 0:
                (void)!read(ends[0], &c, 1);
                break;
            case 1:
                sleep(3600);
                break;
            case 2:
                sem_wait(&sem);
                break;
            case 3:
                for (;;)
                    sched_yield();
            }
            armed = 0;
        } else {
            CHECK_RC(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
            CHECK(!sigismember(&set, SIGUSR1));
            __atomic_add_fetch(&jumps[me], 1, __ATOMIC_SEQ_CST);
        }
    }
    return NULL;
}

int main(void) {
    CHECK_OK(pipe(ends));
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    pthread_t t[4];
    for (long i = 0; i < 4; i++)
        t[i] = spawn(run, (void *)i);
    for (int i = 0; i < 4; i++)
        while (__atomic_load_n(&jumps[i], __ATOMIC_SEQ_CST) < 30) {
            CHECK_RC(pthread_kill(t[i], SIGUSR1), 0);
            sched_yield();
        }
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++)
        while (pthread_tryjoin_np(t[i], NULL) == EBUSY) {
            pthread_kill(t[i], SIGUSR1);
            sleep_ms(1);
        }
    char c = 0;
    CHECK_EQ(write(ends[1], "j", 1), 1);
    CHECK_EQ(read(ends[0], &c, 1), 1);
    CHECK_EQ(c, 'j');
    return 0;
}
