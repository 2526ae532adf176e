// Threads created and joined one after another give their results, and leave no memory and no descriptor behind (a million with GP_FULL=1).
#include "check.h"

static void *add_one(void *arg) { return (char *)arg + 1; }

static void create_and_join(long n) {
    for (long i = 0; i < n; i++)
        CHECK_EQ((long)join_thread(spawn(add_one, (void *)i)), i + 1);
}

int main(void) {
    create_and_join(500);
    long before_kb = rss_kb();
    int before_fds = open_fds();
    create_and_join(full_run() ? 1000000 : 20000);
    CHECK(rss_kb() - before_kb < 4096);
    CHECK_EQ(open_fds(), before_fds);
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
