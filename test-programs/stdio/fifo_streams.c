// fopen of a FIFO waits for the other side; a stream on it has its end when the writer closes.
#include "os/channel.h"

static char path[300];

static void *write_some(void *arg) {
    (void)arg;
    nap();
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    for (int i = 0; i < 1000; i++)
        CHECK(fprintf(f, "%d\n", i) > 0);
    CHECK_EQ(fclose(f), 0);
    return NULL;
}

int main(void) {
    char dir[256];
    snprintf(path, sizeof path, "%s/fifo", temp_dir(dir));
    unlink(path); // left by a run that was killed
    CHECK_OK(mkfifo(path, 0600));
    for (int round = 0; round < 3; round++) {
        pthread_t t = spawn(write_some, NULL);
        FILE *f = fopen(path, "r");
        CHECK(f != NULL);
        int number, count = 0;
        while (fscanf(f, "%d", &number) == 1)
            CHECK_EQ(number, count++);
        CHECK_EQ(count, 1000);
        CHECK_EQ(fclose(f), 0);
        join_thread(t);
    }
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
    return 0;
}
