// A ring whose work is done only when the thread that made it waits for it: for one completion, for two, and with a timeout.
#include "os/ring.h"

static int end[2];

static void wait_for(struct ring *ring, unsigned count) {
    char data[2][8];
    struct later later[2];
    pthread_t t[2];
    for (unsigned i = 0; i < count; i++)
        ask_to_read(ring, end[0], data[i], 4, i);
    for (unsigned i = 0; i < count; i++) {
        later[i] = (struct later){.fd = end[1], .data = "ring", .len = 4};
        t[i] = spawn(do_later, &later[i]);
    }
    CHECK_EQ(syscall(SYS_io_uring_enter, ring->fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0), count);
    CHECK_EQ(completed(ring), count);
    unsigned seen = 0;
    for (unsigned i = 0; i < count; i++) {
        seen |= 1u << take_completion(ring, 4);
        CHECK(memcmp(data[i], "ring", 4) == 0);
        join_thread(t[i]);
    }
    CHECK_EQ(seen, (1u << count) - 1);
}

static void *own_ring(void *arg) {
    struct ring ring;
    open_ring(&ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    for (int round = 0; round < 10; round++) {
        wait_for(&ring, 1);
        wait_for(&ring, 2);
    }

    struct __kernel_timespec timeout = {.tv_nsec = 3000000};
    struct io_uring_getevents_arg argument = {.ts = (uintptr_t)&timeout};
    int64_t start = now_ns(CLOCK_MONOTONIC);
    unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    CHECK_ERR(syscall(SYS_io_uring_enter, ring.fd, 0, 1, flags, &argument, sizeof argument), ETIME);
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= timeout.tv_nsec);

    struct io_uring_params params = {.flags = IORING_SETUP_DEFER_TASKRUN};
    CHECK_ERR(syscall(SYS_io_uring_setup, 4, &params), EINVAL);
    CHECK_OK(close(ring.fd));
    return arg;
}

int main(void) {
    open_pipe(end);
    join_thread(spawn(own_ring, NULL));
    return 0;
}
