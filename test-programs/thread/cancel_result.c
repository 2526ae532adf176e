// A thread that ended before the request reached it keeps its result; one whose call returned runs on to its next point.
#include "check.h"

static int ends[2];

static void *finishes(void *arg) { return arg; }

static void *uncancellable_end(void *arg) {
    CHECK_RC(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL), 0);
    char c;
    CHECK_EQ(read(ends[0], &c, 1), 1);
    return arg;
}

int main(void) {
    CHECK_OK(pipe(ends));
    pthread_t t = spawn(finishes, (void *)9);
    EVENTUALLY(kernel_threads() == 1);
    sleep_ms(3);
    CHECK_RC(pthread_cancel(t), 0);
    CHECK_EQ((long)join_thread(t), 9);
    t = spawn(uncancellable_end, (void *)10);
    sleep_ms(3);
    CHECK_RC(pthread_cancel(t), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ((long)join_thread(t), 10);
    return 0;
}
