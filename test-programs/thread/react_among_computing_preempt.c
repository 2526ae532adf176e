// Two threads that hand a token to and fro, by semaphores and by a pipe, go on at once beside sixteen that compute, and those go on too.
#include "../check.h"
#include <semaphore.h>

// If each hand-over took a slice of every computing thread, the program would take minutes.
enum { COMPUTING = 16, ROUNDS = 300 };

static _Atomic int stop;
static _Atomic unsigned long progress[COMPUTING];
static sem_t there, back;
static int pipes[2][2];

static void *compute(void *arg) {
    _Atomic unsigned long *mine = arg;
    while (!stop)
        ++*mine;
    return NULL;
}

static void *answer(void *arg) {
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(sem_wait(&there));
        CHECK_OK(sem_post(&back));
    }
    char byte;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(read(pipes[0][0], &byte, 1), 1);
        CHECK_EQ(write(pipes[1][1], &byte, 1), 1);
    }
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&there, 0, 0));
    CHECK_OK(sem_init(&back, 0, 0));
    CHECK_OK(pipe(pipes[0]));
    CHECK_OK(pipe(pipes[1]));
    pthread_t threads[COMPUTING];
    for (int i = 0; i < COMPUTING; i++)
        threads[i] = spawn(compute, (void *)&progress[i]);
    // Until each has begun to compute.
    for (int i = 0; i < COMPUTING; i++)
        while (progress[i] < 1000)
            usleep(1000);
    pthread_t other = spawn(answer, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(sem_post(&there));
        CHECK_OK(sem_wait(&back));
    }
    for (int i = 0; i < ROUNDS; i++) {
        char byte = (char)i, same;
        CHECK_EQ(write(pipes[0][1], &byte, 1), 1);
        CHECK_EQ(read(pipes[1][0], &same, 1), 1);
        CHECK_EQ(same, byte);
    }
    join_thread(other);
    unsigned long before[COMPUTING];
    for (int i = 0; i < COMPUTING; i++)
        before[i] = progress[i];
    for (int i = 0; i < COMPUTING; i++)
        while (progress[i] == before[i])
            sched_yield();
    stop = 1;
    for (int i = 0; i < COMPUTING; i++)
        join_thread(threads[i]);
    return 0;
}
