// Threads that send and receive, or write and read, and never need to wait for it take turns: when the first is done the others are not at their beginning.
#include "check.h"
#include <sys/socket.h>

enum { THREADS = 3, ROUNDS = 60000, SIZE = 4096 };
static int rounds[THREADS], first_is_done, by_pipe;

static void *talk_to_itself(void *arg) {
    int me = (int)(intptr_t)arg, ends[2];
    char data[SIZE] = "";
    if (by_pipe)
        CHECK_OK(pipe(ends));
    else
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(by_pipe ? write(ends[1], data, SIZE) : send(ends[1], data, SIZE, 0), SIZE);
        CHECK_EQ(by_pipe ? read(ends[0], data, SIZE) : recv(ends[0], data, SIZE, 0), SIZE);
        __atomic_add_fetch(&rounds[me], 1, __ATOMIC_RELAXED);
    }
    if (!__atomic_exchange_n(&first_is_done, 1, __ATOMIC_SEQ_CST))
        for (int i = 0; i < THREADS; i++)
            CHECK(__atomic_load_n(&rounds[i], __ATOMIC_RELAXED) > ROUNDS / 10);
    close(ends[0]);
    close(ends[1]);
    return NULL;
}

int main(void) {
    for (by_pipe = 0; by_pipe < 2; by_pipe++) {
        pthread_t threads[THREADS];
        first_is_done = 0;
        for (int i = 0; i < THREADS; i++) {
            rounds[i] = 0;
            threads[i] = spawn(talk_to_itself, (void *)(intptr_t)i);
        }
        for (int i = 0; i < THREADS; i++)
            join_thread(threads[i]);
    }
    return 0;
}
