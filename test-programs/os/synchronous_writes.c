// Writes that wait for the disk (O_SYNC, O_DSYNC, RWF_DSYNC) of several threads are whole, in place, and fail as others do.
#include "os/channel.h"
#include <sys/resource.h>

enum { PIECE = 3000, PIECES = 20, THREADS = 4 };
static int file;

static void *append(void *arg) {
    char data[PIECE];
    memset(data, 'a' + *(int *)arg, PIECE);
    for (int i = 0; i < PIECES; i++)
        CHECK_EQ(write(file, data, PIECE), PIECE);
    return NULL;
}

static void *in_place(void *arg) {
    char data[PIECE];
    int me = *(int *)arg;
    for (int i = me; i < PIECES; i += THREADS) {
        fill(data, PIECE, i);
        struct iovec half[2] = {{data, PIECE / 2}, {data + PIECE / 2, PIECE - PIECE / 2}};
        off_t at = (off_t)i * PIECE;
        if (i % 3 == 0)
            CHECK_EQ(pwrite(file, data, PIECE, at), PIECE);
        else if (i % 3 == 1)
            CHECK_EQ(pwritev(file, half, 2, at), PIECE);
        else
            CHECK_EQ(pwritev2(file, half, 2, at, RWF_DSYNC), PIECE);
    }
    return NULL;
}

static void run(void *(*body)(void *)) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        threads[i] = spawn(body, &numbers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
}

static void *fails(void *arg) {
    char byte = 'x';
    on_signal(SIGXFSZ, count_signal, 0);
    struct rlimit small = {100, RLIM_INFINITY};
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &small));
    CHECK_ERR(pwrite(file, &byte, 1, 100), EFBIG);
    CHECK_EQ(signals_seen, 1);
    const void *volatile nowhere = (void *)8;
    CHECK_ERR(write(file, nowhere, 1), EFAULT);
    return arg;
}

int main(void) {
    char folder[256], path[300];
    temp_dir(folder);
    snprintf(path, sizeof path, "%s/file", folder);
    CHECK((file = open(path, O_RDWR | O_CREAT | O_APPEND | O_SYNC, 0600)) != -1);
    run(append);
    char data[PIECE];
    int count[THREADS] = {0};
    CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
    for (int i = 0; i < PIECES * THREADS; i++) {
        CHECK_EQ(read(file, data, PIECE), PIECE);
        for (int k = 1; k < PIECE; k++)
            CHECK_EQ(data[k], data[0]);
        count[data[0] - 'a']++;
    }
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(count[i], PIECES);
    CHECK_OK(close(file));

    CHECK((file = open(path, O_RDWR | O_TRUNC | O_DSYNC)) != -1);
    run(in_place);
    for (int i = 0; i < PIECES; i++) {
        CHECK_EQ(pread(file, data, PIECE, (off_t)i * PIECE), PIECE);
        check_filled(data, PIECE, i);
    }
    CHECK_OK(ftruncate(file, 0));
    CHECK_OK(lseek(file, 0, SEEK_SET));
    pthread_t t = spawn(fails, NULL);
    join_thread(t);
    CHECK_OK(close(file));
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(folder));
    return 0;
}
