// An io_uring, mapped.
#ifndef RING_H
#define RING_H
#include "os/channel.h"
#include <linux/io_uring.h>
#include <sys/mman.h>

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

struct ring {
    int fd;
    unsigned *sq_tail, *array, *cq_head, *cq_tail, sq_mask, cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
};

static void open_ring(struct ring *ring, unsigned flags) {
    struct io_uring_params params = {.flags = flags};
    ring->fd = (int)syscall(SYS_io_uring_setup, 4, &params);
    if (ring->fd == -1)
        SKIP(flags == 0 ? "no io_uring here" : "no io_uring of this kind here");
    CHECK_EQ(params.flags, flags);
    size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t cq_size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    int protection = PROT_READ | PROT_WRITE;
    char *sq = (char *)mmap(NULL, sq_size, protection, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
    char *cq = (char *)mmap(NULL, cq_size, protection, MAP_SHARED, ring->fd, IORING_OFF_CQ_RING);
    void *sqes = mmap(NULL, params.sq_entries * sizeof *ring->sqes, protection, MAP_SHARED, ring->fd, IORING_OFF_SQES);
    CHECK(sq != MAP_FAILED && cq != MAP_FAILED && sqes != MAP_FAILED);
    ring->sqes = (struct io_uring_sqe *)sqes;
    ring->sq_tail = (unsigned *)(sq + params.sq_off.tail);
    ring->array = (unsigned *)(sq + params.sq_off.array);
    ring->cq_head = (unsigned *)(cq + params.cq_off.head);
    ring->cq_tail = (unsigned *)(cq + params.cq_off.tail);
    ring->cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
    ring->sq_mask = params.sq_entries - 1;
    ring->cq_mask = params.cq_entries - 1;
}

// The next request is to read; it is submitted by whoever enters the ring.
static void ask_to_read(struct ring *ring, int fd, void *data, unsigned len, uint64_t user_data) {
    unsigned tail = *ring->sq_tail, at = tail & ring->sq_mask;
    ring->sqes[at] = (struct io_uring_sqe){
        .opcode = IORING_OP_READ, .fd = fd, .addr = (uintptr_t)data, .len = len, .user_data = user_data};
    ring->array[at] = at;
    __atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

static unsigned completed(struct ring *ring) { return __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE) - *ring->cq_head; }

// Takes a completion, which must be there and have this result.
static uint64_t take_completion(struct ring *ring, int result) {
    CHECK(completed(ring) > 0);
    struct io_uring_cqe cqe = ring->cqes[*ring->cq_head & ring->cq_mask];
    __atomic_store_n(ring->cq_head, *ring->cq_head + 1, __ATOMIC_RELEASE);
    CHECK_EQ(cqe.res, result);
    return cqe.user_data;
}

#endif
