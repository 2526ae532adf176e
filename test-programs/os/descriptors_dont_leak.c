// After thousands of waits on fresh descriptors no descriptor is left over, and nothing is left of those before.
#include "os/channel.h"

static void *read_it(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 1);
    return NULL;
}

int main(void) {
    int before = 0;
    for (int round = 0; round < 200; round++) {
        int end[2];
        kinds[round % KINDS].open(end);
        pthread_t t = spawn(read_it, &end[0]);
        sched_yield();
        CHECK_EQ(write(end[1], "x", 1), 1);
        join_thread(t);
        close_both(end);
        if (round == 50)
            before = open_fds();
    }
    CHECK_EQ(open_fds(), before);
    return 0;
}
