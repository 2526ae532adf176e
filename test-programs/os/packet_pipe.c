// A pipe in packet mode (O_DIRECT) keeps its packets apart while its reader waits for each.
#include "os/channel.h"

static void *write_packets(void *arg) {
    char data[3000];
    for (int i = 1; i < 60; i++) {
        if (i % 10 == 0)
            nap();
        fill(data, i * 50, i);
        CHECK_EQ(write(*(int *)arg, data, i * 50), i * 50);
    }
    return NULL;
}

int main(void) {
    int end[2];
    CHECK_OK(pipe2(end, O_DIRECT));
    pthread_t t = spawn(write_packets, &end[1]);
    for (int i = 1; i < 60; i++) {
        char data[4096];
        CHECK_EQ(read(end[0], data, sizeof data), i * 50);
        check_filled(data, i * 50, i);
    }
    join_thread(t);
    return 0;
}
