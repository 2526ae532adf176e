// The limit: one loop over io_uring. One accept and one receive per connection stay armed, buffers come from a ring
// that is shared with the kernel, and one system call both submits and waits.
//   server_uring echo|http
// Prints its port, and serves until it is killed.
// LIBS: -luring
#include "protocol.h"
#include <liburing.h>

enum { SUBMISSIONS = 4096, COMPLETIONS = 65536, BUFFERS = 4096, GROUP = 1 };
// What a completion is of: in the low bits of the connection's address.
enum { ACCEPT, RECEIVE, SEND, KIND_BITS = 3 };

struct bytes {
    char *data;
    size_t length, room;
};

struct connection {
    int fd, receiving, ended;
    size_t sent;
    struct bytes sending, next, begun; // under way, to follow it, the beginning of a request
};

static enum protocol protocol;
static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char (*memory)[CHUNK];

static void append(struct bytes *to, const char *data, size_t length) {
    if (to->length + length > to->room) {
        to->room = 2 * (to->length + length);
        CHECK((to->data = realloc(to->data, to->room)) != NULL);
    }
    memcpy(to->data + to->length, data, length);
    to->length += length;
}

static struct io_uring_sqe *submission(void) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (sqe == NULL) {
        CHECK(io_uring_submit(&ring) >= 0);
        CHECK((sqe = io_uring_get_sqe(&ring)) != NULL);
    }
    return sqe;
}

static void start_accept(int listener) {
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    io_uring_sqe_set_data64(sqe, ACCEPT);
}

static void start_receive(struct connection *c) {
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    io_uring_sqe_set_data64(sqe, (uintptr_t)c | RECEIVE);
    c->receiving = 1;
}

static void start_send(struct connection *c) {
    struct io_uring_sqe *sqe = submission();
    io_uring_prep_send(sqe, c->fd, c->sending.data + c->sent, c->sending.length - c->sent, MSG_NOSIGNAL);
    io_uring_sqe_set_data64(sqe, (uintptr_t)c | SEND);
}

// The last completion of a connection that has ended frees it.
static void free_if_quiet(struct connection *c) {
    if (!c->ended || c->receiving || c->sending.length > 0)
        return;
    close(c->fd);
    free(c->sending.data);
    free(c->next.data);
    free(c->begun.data);
    free(c);
}

static void end(struct connection *c) {
    if (!c->ended)
        shutdown(c->fd, SHUT_RD); // the armed receive completes
    c->ended = 1;
}

static void received(struct connection *c, const char *data, size_t length) {
    static char out[ANSWERS];
    int whole = c->begun.length == 0;
    if (!whole) {
        append(&c->begun, data, length);
        data = c->begun.data, length = c->begun.length;
        if (length > CHUNK)
            return end(c);
    }
    struct answer reply = answer(protocol, data, length, out);
    int busy = c->sending.length > 0;
    append(busy ? &c->next : &c->sending, reply.data, reply.length);
    if (!busy && reply.length > 0)
        start_send(c);
    if (whole) {
        append(&c->begun, data + reply.used, length - reply.used);
    } else {
        c->begun.length -= reply.used;
        memmove(c->begun.data, c->begun.data + reply.used, c->begun.length);
    }
    if (reply.close)
        end(c);
}

static void on_receive(struct connection *c, const struct io_uring_cqe *cqe) {
    if (cqe->res > 0) {
        unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        if (!c->ended)
            received(c, memory[id], cqe->res);
        io_uring_buf_ring_add(buffers, memory[id], CHUNK, id, io_uring_buf_ring_mask(BUFFERS), 0);
        io_uring_buf_ring_advance(buffers, 1);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        c->receiving = 0;
        // Out of buffers, or of room for completions: both are there again by now.
        if (!c->ended && (cqe->res > 0 || cqe->res == -ENOBUFS))
            start_receive(c);
        else
            c->ended = 1;
    }
}

static void on_send(struct connection *c, int result) {
    if (result > 0 && (c->sent += result) < c->sending.length)
        return start_send(c);
    c->sent = c->sending.length = 0;
    if (result <= 0)
        return end(c);
    struct bytes done = c->sending;
    c->sending = c->next;
    c->next = done;
    if (c->sending.length > 0)
        start_send(c);
}

static void on_accept(int listener, const struct io_uring_cqe *cqe) {
    if (cqe->res >= 0) {
        struct connection *c = calloc(1, sizeof *c);
        CHECK(c != NULL);
        c->fd = cqe->res;
        start_receive(c);
    }
    if (!(cqe->flags & IORING_CQE_F_MORE))
        start_accept(listener);
}

static void set_up(void) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, .cq_entries = COMPLETIONS};
    int error = io_uring_queue_init_params(SUBMISSIONS, &ring, &params);
    if (error < 0) {
        fprintf(stderr, "io_uring: %s\n", strerror(-error));
        exit(77);
    }
    size_t size = BUFFERS * sizeof(struct io_uring_buf);
    CHECK_RC(posix_memalign((void **)&buffers, 4096, size), 0);
    CHECK_RC(posix_memalign((void **)&memory, 4096, (size_t)BUFFERS * CHUNK), 0);
    struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)buffers, .ring_entries = BUFFERS, .bgid = GROUP};
    CHECK_EQ(io_uring_register_buf_ring(&ring, &registration, 0), 0);
    io_uring_buf_ring_init(buffers);
    for (int i = 0; i < BUFFERS; i++)
        io_uring_buf_ring_add(buffers, memory[i], CHUNK, i, io_uring_buf_ring_mask(BUFFERS), i);
    io_uring_buf_ring_advance(buffers, BUFFERS);
}

int main(int argc, char **argv) {
    CHECK_EQ(argc, 2);
    protocol = protocol_named(argv[1]);
    raise_file_limit(200000);
    signal(SIGPIPE, SIG_IGN);
    set_up();
    int listener = listen_and_print(0);
    start_accept(listener);
    for (;;) {
        int submitted = io_uring_submit_and_wait(&ring, 1);
        CHECK(submitted >= 0 || submitted == -EINTR || submitted == -EBUSY);
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        io_uring_for_each_cqe(&ring, head, cqe) {
            seen++;
            struct connection *c = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)KIND_BITS);
            switch (cqe->user_data & KIND_BITS) {
            case ACCEPT:
                on_accept(listener, cqe);
                continue;
            case RECEIVE:
                on_receive(c, cqe);
                break;
            case SEND:
                on_send(c, cqe->res);
                break;
            }
            free_if_quiet(c);
        }
        io_uring_cq_advance(&ring, seen);
    }
}
