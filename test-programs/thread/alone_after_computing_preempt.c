// A thread that is alone again after others have computed and spun sleeps its whole time, and waits for signals undisturbed: what looked after the others does not interrupt it.
#include "check.h"
#include <poll.h>
#include <semaphore.h>

enum { ROUNDS = 40, HANDS = 20 };

static sem_t ask, answer;
static _Atomic int stop;

static void *computes(void *arg) {
    volatile unsigned long count = 0;
    while (!stop)
        count++;
    return arg;
}

static void *answers(void *arg) {
    for (int i = 0; i < HANDS; i++) {
        CHECK_OK(sem_wait(&ask));
        CHECK_OK(sem_post(&answer));
    }
    return arg;
}

static void *spins(void *arg) {
    while (!stop)
        __builtin_ia32_pause();
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&ask, 0, 0));
    CHECK_OK(sem_init(&answer, 0, 0));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    for (int round = 0; round < ROUNDS; round++) {
        stop = 0;
        pthread_t t[] = {spawn(round % 2 ? spins : computes, NULL), spawn(answers, NULL)};
        for (int i = 0; i < HANDS; i++) {
            CHECK_OK(sem_post(&ask));
            CHECK_OK(sem_wait(&answer));
        }
        CHECK_OK(usleep(3000 + (useconds_t)round * 100));
        stop = 1;
        join_thread(t[0]);
        join_thread(t[1]);
        struct timespec time = {0, 5000000};
        switch (round % 4) {
        case 0:
        case 1:
            CHECK_OK(nanosleep(&time, NULL));
            break;
        case 2:
            CHECK_EQ(poll(NULL, 0, 5), 0);
            break;
        default:
            CHECK_ERR(sigtimedwait(&set, NULL, &time), EAGAIN);
        }
    }
    return 0;
}
