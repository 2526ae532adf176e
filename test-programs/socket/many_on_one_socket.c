// Two readers and two writers at each end of one socket, all four directions at once: nothing lost, doubled or torn.
#include "os/channel.h"

enum { RECORDS = 2000, SIZE = 40 };

struct side {
    int fd, seed;
    int (*seen)[2 * RECORDS];
};

static int seen[2][2 * RECORDS];

static void *produce(void *arg) {
    struct side *side = arg;
    char record[SIZE];
    for (int i = 0; i < RECORDS; i++) {
        int number = side->seed * RECORDS + i;
        memcpy(record, &number, 4);
        fill(record + 4, SIZE - 4, number);
        CHECK_EQ(send(side->fd, record, SIZE, 0), SIZE);
    }
    return NULL;
}

static void *consume(void *arg) {
    struct side *side = arg;
    char record[SIZE];
    for (int i = 0; i < RECORDS; i++) {
        CHECK_EQ(recv(side->fd, record, SIZE, 0), SIZE);
        int number;
        memcpy(&number, record, 4);
        CHECK(number >= 0 && number < 2 * RECORDS);
        check_filled(record + 4, SIZE - 4, number);
        CHECK_EQ(__atomic_add_fetch(&(*side->seen)[number], 1, __ATOMIC_SEQ_CST), 1);
    }
    return NULL;
}

int main(void) {
    void (*const opens[])(int *) = {open_seqpacket, open_datagram};
    for (int i = 0; i < 2; i++) {
        int end[2];
        opens[i](end);
        memset(seen, 0, sizeof seen);
        struct side sides[4];
        pthread_t t[8];
        for (int j = 0; j < 4; j++) {
            sides[j] = (struct side){end[j / 2], j % 2, &seen[j / 2]};
            t[2 * j] = spawn(consume, &sides[j]);
            t[2 * j + 1] = spawn(produce, &sides[j]);
        }
        for (int j = 0; j < 8; j++)
            join_thread(t[j]);
        close_both(end);
    }
    return 0;
}
