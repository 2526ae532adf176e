// Each thread keeps its own errno across switches of every kind.
#include "check.h"
#include <semaphore.h>

static sem_t turn[2];

static void *play(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < 2000; i++) {
        int mine = 1000 + (int)me * 100000 + i;
        errno = mine;
        sem_wait(&turn[me]);
        sched_yield();
        CHECK_EQ(errno, mine);
        sem_post(&turn[!me]);
        CHECK_EQ(errno, mine);
    }
    errno = (int)me;
    sleep_ms(1);
    CHECK_EQ(errno, me);
    return &errno;
}

int main(void) {
    CHECK_OK(sem_init(&turn[0], 0, 1));
    CHECK_OK(sem_init(&turn[1], 0, 0));
    errno = 77;
    pthread_t a = spawn(play, (void *)0), b = spawn(play, (void *)1);
    CHECK_EQ(errno, 77);
    CHECK(join_thread(a) != join_thread(b));
    CHECK_EQ(errno, 77);
    return 0;
}
