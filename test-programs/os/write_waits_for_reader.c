// Writes to a full descriptor of each kind, messages too, wait until another thread reads; no message is lost.
#include "os/channel.h"

enum { MESSAGES = 400, SIZE = 1000 };

static void *take_all(void *arg) {
    const struct kind *kind = &kinds[((int *)arg)[2]];
    int fd = *(int *)arg;
    nap();
    char data[SIZE];
    for (int i = 0; i < MESSAGES; i++) {
        if (kind->traits & IS_STREAM)
            read_whole(fd, data, SIZE);
        else
            CHECK_EQ(read(fd, data, SIZE), SIZE);
        check_filled(data, SIZE, i);
    }
    return NULL;
}

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        int end[3];
        if (strcmp(kinds[k].name, "udp") == 0)
            continue; // drops what its receiver has no room for
        kinds[k].open(end);
        end[2] = k;
        pthread_t t = spawn(take_all, end);
        char data[SIZE];
        for (int i = 0; i < MESSAGES; i++) {
            fill(data, SIZE, i);
            CHECK_EQ(write(end[1], data, SIZE), SIZE);
        }
        join_thread(t);
        close_both(end);
    }
    return 0;
}
