// A fork in the middle of every call that waits: the child makes the same call with threads of its own, and the parent's goes on.
#include "rules/points.h"

static void rule(const struct point *point) {
    struct attempt a, again;
    pthread_t thread = begin(&a, point, 30);
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        CHECK_EQ(a.returned && point->release != NULL, 0);
        pthread_t mine = begin(&again, point, 1);
        if (point->release != NULL)
            still_waits(&again, "in the child");
        finish(&again, mine);
        unmake(point, &again.object);
        _exit(0);
    }
    if (wait_child(child) != 0)
        CHECK_FAIL("%s in the child", point->name);
    if (point->release != NULL)
        still_waits(&a, "after a fork");
    finish(&a, thread);
    unmake(point, &a.object);
}

int main(int argc, char **argv) {
    EACH_POINT(0, 0, rule);
    return 0;
}
