// io_uring_enter waits for a completion that another thread causes.
#include "os/channel.h"
#include <linux/io_uring.h>
#include <sys/mman.h>

int main(void) {
    struct io_uring_params params = {0};
    int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
    if (ring == -1)
        SKIP("no io_uring here");
    size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    char *sq = mmap(NULL, sq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    char *cq = mmap(NULL, cq_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqes = mmap(NULL, params.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
                                     IORING_OFF_SQES);
    CHECK(sq != MAP_FAILED && cq != MAP_FAILED && sqes != MAP_FAILED);
    unsigned *sq_tail = (unsigned *)(sq + params.sq_off.tail), *array = (unsigned *)(sq + params.sq_off.array);
    unsigned *cq_head = (unsigned *)(cq + params.cq_off.head), *cq_tail = (unsigned *)(cq + params.cq_off.tail);
    struct io_uring_cqe *cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
    unsigned sq_mask = params.sq_entries - 1, cq_mask = params.cq_entries - 1;

    int end[2];
    open_pipe(end);
    for (int round = 0; round < 10; round++) {
        char data[8] = "";
        unsigned tail = *sq_tail;
        sqes[tail & sq_mask] = (struct io_uring_sqe){
            .opcode = IORING_OP_READ, .fd = end[0], .addr = (uintptr_t)data, .len = sizeof data, .user_data = 100 + round};
        array[tail & sq_mask] = tail & sq_mask;
        __atomic_store_n(sq_tail, tail + 1, __ATOMIC_RELEASE);
        struct later later = {.fd = end[1], .data = "ring", .len = 4};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
        CHECK_EQ(__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) - *cq_head, 1);
        struct io_uring_cqe *cqe = &cqes[*cq_head & cq_mask];
        CHECK_EQ(cqe->user_data, 100 + round);
        CHECK_EQ(cqe->res, 4);
        CHECK(memcmp(data, "ring", 4) == 0);
        __atomic_store_n(cq_head, *cq_head + 1, __ATOMIC_RELEASE);
        join_thread(t);
    }
    return 0;
}
