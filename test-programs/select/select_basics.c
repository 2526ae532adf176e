// select: sets rewritten, the rest of the time written back as Linux does, EBADF, up to FD_SETSIZE, as a sleep.
#include "os/channel.h"
#include <sys/resource.h>
#include <sys/select.h>

static void *stay_parked(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

int main(void) {
    int gate[2], end[2];
    open_pipe(gate);
    pthread_t parked = spawn(stay_parked, &gate[0]);
    fd_set in, out, except;
    char c;

    int64_t begin = now_ns(CLOCK_MONOTONIC);
    struct timeval time = {.tv_usec = 5000};
    CHECK_EQ(select(0, NULL, NULL, NULL, &time), 0);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 5000000);
    CHECK_EQ(time.tv_sec * 1000000 + time.tv_usec, 0);

    for (int k = 0; k < KINDS; k++) {
        kinds[k].open(end);
        struct later later = {.fd = end[1], .data = "x", .len = 1};
        pthread_t t = spawn(do_later, &later);
        FD_ZERO(&in);
        FD_ZERO(&out);
        FD_ZERO(&except);
        FD_SET(end[0], &in);
        FD_SET(gate[0], &in);
        FD_SET(end[0], &except);
        time = (struct timeval){.tv_sec = 60};
        CHECK_EQ(select(FD_SETSIZE, &in, NULL, &except, &time), 1);
        CHECK(FD_ISSET(end[0], &in) && !FD_ISSET(gate[0], &in) && !FD_ISSET(end[0], &except));
        CHECK(time.tv_sec >= 30 && time.tv_sec < 60); // what was left
        join_thread(t);
        FD_SET(end[1], &out);
        CHECK_EQ(select(FD_SETSIZE, &in, &out, NULL, NULL), 2);
        CHECK(FD_ISSET(end[0], &in) && FD_ISSET(end[1], &out));
        CHECK_EQ(read(end[0], &c, 1), 1);
        time = (struct timeval){0};
        CHECK_EQ(select(end[0] + 1, &in, NULL, NULL, &time), 0);
        CHECK(!FD_ISSET(end[0], &in));
        close_both(end);
    }

    // A descriptor above nfds doesn't count.
    open_pipe(end);
    FD_ZERO(&out);
    FD_SET(end[1], &out);
    time = (struct timeval){.tv_usec = 1000};
    CHECK_EQ(select(end[1], NULL, &out, NULL, &time), 0);

    int closed = dup(0);
    CHECK_OK(close(closed));
    FD_ZERO(&in);
    FD_SET(closed, &in);
    CHECK_ERR(select(closed + 1, &in, NULL, NULL, NULL), EBADF);
    CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
    time = (struct timeval){.tv_sec = -1};
    CHECK_ERR(select(0, NULL, NULL, NULL, &time), EINVAL);
    CHECK_INTERRUPTED(select(0, NULL, NULL, NULL, NULL));

    // The highest number that fits.
    CHECK_EQ(dup2(end[0], FD_SETSIZE - 1), FD_SETSIZE - 1);
    FD_ZERO(&in);
    FD_SET(FD_SETSIZE - 1, &in);
    struct later later = {.fd = end[1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(select(FD_SETSIZE, &in, NULL, NULL, NULL), 1);
    CHECK(FD_ISSET(FD_SETSIZE - 1, &in));
    join_thread(t);
    CHECK_OK(close(gate[1]));
    join_thread(parked);
    return 0;
}
