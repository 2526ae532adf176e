// A call that waits keeps its file when another thread closes the number, puts another file there, or both: it ends with what comes to the old one.
#include "rules/points.h"

static int how;

static void rule(const struct point *point) {
    struct attempt a;
    pthread_t thread = begin(&a, point, 0);
    int number = a.object.wait, other;
    a.object.wait = -1;
    if (how == 0) {
        CHECK_OK(close(number));
    } else {
        CHECK_OK(other = eventfd(5, 0));
        CHECK_EQ(dup2(other, number), number);
        CHECK_OK(close(other));
    }
    sleep_ms(1);
    still_waits(&a, "when its descriptor was closed");
    finish(&a, thread);
    if (how == 1) {
        // The new file has not been touched.
        uint64_t value;
        CHECK_EQ(read(number, &value, 8), 8);
        CHECK_EQ(value, 5);
        CHECK_OK(close(number));
    }
    unmake(point, &a.object);
}

int main(int argc, char **argv) {
    for (how = 0; how < 2; how++)
        EACH_POINT(KEEPS, 0, rule);
    return 0;
}
