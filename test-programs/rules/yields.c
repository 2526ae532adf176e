// Every call that waits lets the others run meanwhile: each alone, and all of them at the same time, ended last to first.
#include "rules/points.h"

static void alone(const struct point *point) {
    struct attempt a;
    pthread_t thread = begin(&a, point, 30);
    if (point->release != NULL)
        still_waits(&a, "before there was anything");
    finish(&a, thread);
    unmake(point, &a.object);
}

int main(int argc, char **argv) {
    EACH_POINT(0, 0, alone);
    if (argc > 1)
        return 0;
    int fds = open_fds();
    static struct attempt all[POINTS];
    pthread_t threads[POINTS];
    for (int i = 0; i < POINTS; i++)
        threads[i] = begin(&all[i], &points[i], 30);
    CHECK_ONE_KERNEL_THREAD();
    for (int i = POINTS - 1; i >= 0; i--) {
        if (points[i].release != NULL)
            still_waits(&all[i], "while others were ended");
        finish(&all[i], threads[i]);
    }
    for (int i = 0; i < POINTS; i++)
        unmake(&points[i], &all[i].object);
    CHECK_EQ(open_fds(), fds);
    return 0;
}
