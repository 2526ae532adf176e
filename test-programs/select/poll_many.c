// poll of thousands of descriptors finds the one that another thread makes ready, first, last and in between.
#include "os/channel.h"
#include <sys/eventfd.h>
#include <sys/resource.h>

int main(void) {
    struct rlimit files;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &files));
    files.rlim_cur = files.rlim_max;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    int count = files.rlim_cur > 5100 ? 5000 : (int)files.rlim_cur - 100;
    struct pollfd *p = calloc(count, sizeof *p);
    CHECK(p != NULL);
    for (int i = 0; i < count; i++) {
        CHECK_OK(p[i].fd = eventfd(0, 0));
        p[i].events = POLLIN;
    }
    for (int round = 0; round < 12; round++) {
        int which = round % 3 == 0 ? 0 : round % 3 == 1 ? count - 1 : count / 2 + round;
        struct later later = {.fd = p[which].fd, .data = "\1\0\0\0\0\0\0", .len = 8};
        pthread_t t = spawn(do_later, &later);
        CHECK_EQ(poll(p, count, -1), 1);
        for (int i = 0; i < count; i++)
            CHECK_EQ(p[i].revents, i == which ? POLLIN : 0);
        uint64_t value;
        CHECK_OK(eventfd_read(p[which].fd, &value));
        join_thread(t);
    }
    CHECK_EQ(poll(p, count, 1), 0);
    files.rlim_cur = 100;
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &files));
    CHECK_ERR(poll(p, 101, 0), EINVAL);
    return 0;
}
