// A read of an eventfd waits for another thread's write; counter and semaphore mode; a write that would overflow waits.
#include "os/channel.h"
#include <sys/eventfd.h>

static void *add(void *arg) {
    int fd = *(int *)arg;
    for (int i = 0; i < 100; i++) {
        if (i % 10 == 0)
            nap();
        CHECK_OK(eventfd_write(fd, 7));
    }
    return NULL;
}

static void *take_one(void *arg) {
    uint64_t value;
    CHECK_EQ(read(*(int *)arg, &value, sizeof value), 8);
    CHECK_EQ(value, 1);
    return NULL;
}

static void *empty(void *arg) {
    uint64_t value;
    nap();
    CHECK_EQ(read(*(int *)arg, &value, sizeof value), 8);
    CHECK(value == 0xfffffffffffffffe);
    return NULL;
}

int main(void) {
    int fd = eventfd(0, 0);
    CHECK(fd >= 0);
    pthread_t t = spawn(add, &fd);
    uint64_t sum = 0, value;
    while (sum < 700) {
        CHECK_EQ(read(fd, &value, sizeof value), 8);
        CHECK(value > 0 && value % 7 == 0);
        sum += value;
    }
    CHECK_EQ(sum, 700);
    join_thread(t);
    CHECK_ERR(read(fd, &value, 7), EINVAL);

    CHECK_OK(eventfd_write(fd, 0xfffffffffffffffe));
    t = spawn(empty, &fd);
    CHECK_OK(eventfd_write(fd, 3)); // waits for room
    join_thread(t);
    CHECK_EQ(read(fd, &value, sizeof value), 8);
    CHECK_EQ(value, 3);
    value = UINT64_MAX;
    CHECK_ERR(write(fd, &value, sizeof value), EINVAL);
    CHECK_INTERRUPTED(read(fd, &value, sizeof value));
    CHECK_OK(close(fd));

    CHECK_OK(fd = eventfd(0, EFD_SEMAPHORE));
    pthread_t takers[20];
    for (int i = 0; i < 20; i++)
        takers[i] = spawn(take_one, &fd);
    nap();
    CHECK_OK(eventfd_write(fd, 15));
    CHECK_OK(eventfd_write(fd, 5));
    for (int i = 0; i < 20; i++)
        join_thread(takers[i]);
    CHECK_OK(close(fd));

    CHECK_OK(fd = eventfd(0, EFD_NONBLOCK));
    CHECK_ERR(eventfd_read(fd, &value), EAGAIN);
    return 0;
}
