// As in Linux, closing the number does not end another thread's wait: it still gets what arrives. A number that is used
// again at once belongs to the new file, for whoever comes later.
#include "os/channel.h"

struct reader {
    int fd;
    pid_t tid;
    char data[16];
    ssize_t n;
    int error;
};

static void *read_once(void *arg) {
    struct reader *r = arg;
    about_to_block(&r->tid);
    r->n = read(r->fd, r->data, sizeof r->data);
    r->error = errno;
    return NULL;
}

int main(void) {
    for (int k = 0; k < KINDS; k++)
        for (int reuse = 0; reuse < 3; reuse++) {
            int end[2], fresh[2], number;
            kinds[k].open(end);
            struct reader r = {.fd = end[0]}, again = {.fd = end[0]};
            pthread_t t = spawn(read_once, &r);
            await_blocked(&r.tid);
            number = end[0];

            int spare = -1; // a second description of the end, or the writer would see the reader go
            CHECK_OK(spare = dup(end[0]));
            open_stream(fresh);
            if (reuse == 0) {
                CHECK_OK(close(number));
                CHECK_EQ(dup(fresh[0]), number);
            } else if (reuse == 1) {
                CHECK_OK(dup2(fresh[0], number));
            } else {
                CHECK_OK(dup3(fresh[0], number, O_CLOEXEC));
            }
            pthread_t other = spawn(read_once, &again);
            await_blocked(&again.tid);
            CHECK_EQ(write(fresh[1], "new", 3), 3);
            join_thread(other);
            CHECK_EQ(again.n, 3);
            CHECK(memcmp(again.data, "new", 3) == 0);

            CHECK_EQ(write(end[1], "old", 3), 3);
            join_thread(t);
            if (r.n != 3 || memcmp(r.data, "old", 3) != 0)
                CHECK_FAIL("%s: read gave %zd, errno %d", kinds[k].name, r.n, r.error);

            // And the new file works on that number afterwards.
            CHECK_EQ(write(number, "back", 4), 4);
            CHECK_EQ(read(fresh[1], r.data, 16), 4);
            CHECK_OK(close(number));
            CHECK_OK(close(spare));
            CHECK_OK(close(end[1]));
            close_both(fresh);
        }
    return 0;
}
