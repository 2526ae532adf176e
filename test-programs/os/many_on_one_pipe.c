// Several threads read one pipe and several write it: every record arrives once and in one piece.
#include "os/channel.h"

enum { THREADS = 8, RECORDS = 2000 };

struct record {
    int writer, number;
    char filling[56]; // less than PIPE_BUF altogether
};

static int end[2];
static int seen[THREADS][RECORDS];

static void *produce(void *arg) {
    struct record r = {.writer = (int)(intptr_t)arg};
    for (int i = 0; i < RECORDS; i++) {
        r.number = i;
        fill(r.filling, sizeof r.filling, r.writer * 100000 + i);
        CHECK_EQ(write(end[1], &r, sizeof r), sizeof r);
    }
    return NULL;
}

static void *consume(void *arg) {
    (void)arg;
    struct record r;
    long taken = 0;
    ssize_t n;
    while ((n = read(end[0], &r, sizeof r)) > 0) {
        CHECK_EQ(n, sizeof r);
        check_filled(r.filling, sizeof r.filling, r.writer * 100000 + r.number);
        CHECK_EQ(__atomic_add_fetch(&seen[r.writer][r.number], 1, __ATOMIC_SEQ_CST), 1);
        taken++;
    }
    CHECK_EQ(n, 0);
    return (void *)taken;
}

int main(void) {
    pthread_t writers[THREADS], readers[THREADS];
    open_pipe(end);
    for (int i = 0; i < THREADS; i++)
        readers[i] = spawn(consume, NULL);
    for (int i = 0; i < THREADS; i++)
        writers[i] = spawn(produce, (void *)(intptr_t)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(writers[i]);
    CHECK_OK(close(end[1]));
    long total = 0;
    for (int i = 0; i < THREADS; i++)
        total += (long)join_thread(readers[i]);
    CHECK_EQ(total, THREADS * RECORDS);
    return 0;
}
