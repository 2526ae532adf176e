// What would wait fails with EAGAIN on a descriptor that the program made non-blocking, which it stays; made blocking again,
// it waits.
#include "rules/points.h"

static void rule(const struct point *point) {
    struct attempt a = {.point = point};
    point->make(&a.object);
    int flags = fcntl(a.object.wait, F_GETFL);
    CHECK_EQ(flags & O_NONBLOCK, 0);
    CHECK_OK(fcntl(a.object.wait, F_SETFL, flags | O_NONBLOCK));
    for (int i = 0; i < 3; i++) {
        errno = 0;
        long result = point->call(&a.object);
        if (result != -1 || errno != EAGAIN)
            CHECK_FAIL("%s: %ld (%s), want EAGAIN", point->name, result, strerror(errno));
    }
    CHECK_EQ(fcntl(a.object.wait, F_GETFL), flags | O_NONBLOCK);
    CHECK_OK(fcntl(a.object.wait, F_SETFL, flags));
    pthread_t thread = spawn(attempts, &a);
    await_blocked(&a.tid);
    CHECK_EQ(fcntl(a.object.wait, F_GETFL), flags);
    still_waits(&a, "on a blocking descriptor");
    finish(&a, thread);
    CHECK_EQ(fcntl(a.object.wait, F_GETFL), flags);
    unmake(point, &a.object);
}

static void *idle(void *arg) {
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? arg : NULL;
}

int main(int argc, char **argv) {
    int end[2];
    open_pipe(end);
    pthread_t company = spawn(idle, &end[0]);
    EACH_POINT(QUITS, 0, rule);
    CHECK_EQ(write(end[1], "x", 1), 1);
    join_thread(company);
    return 0;
}
