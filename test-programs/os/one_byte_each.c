// Fifty threads wait to read one byte each from the same descriptor: single writes serve them all, one by one.
#include "os/channel.h"

enum { THREADS = 50 };

static int got[THREADS];

static void *read_one(void *arg) {
    unsigned char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    CHECK_EQ(__atomic_add_fetch(&got[c], 1, __ATOMIC_SEQ_CST), 1);
    return NULL;
}

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        kinds[k].open(end);
        memset(got, 0, sizeof got);
        pthread_t t[THREADS];
        for (int i = 0; i < THREADS; i++)
            t[i] = spawn(read_one, &end[0]);
        nap();
        unsigned char bytes[THREADS];
        for (int i = 0; i < THREADS; i++)
            bytes[i] = i;
        for (int i = 0; i < THREADS / 2; i++)
            CHECK_EQ(write(end[1], &bytes[i], 1), 1);
        nap();
        if (kinds[k].traits & IS_STREAM) // one event for many readers
            CHECK_EQ(write(end[1], bytes + THREADS / 2, THREADS / 2), THREADS / 2);
        else
            for (int i = THREADS / 2; i < THREADS; i++)
                CHECK_EQ(write(end[1], &bytes[i], 1), 1);
        for (int i = 0; i < THREADS; i++)
            join_thread(t[i]);
        for (int i = 0; i < THREADS; i++)
            CHECK_EQ(got[i], 1);
        close_both(end);
    }
    return 0;
}
