// Where the user may have no more timers, threads whose calls never block still let the others run.
#include "check.h"
#include <sys/resource.h>

static int stop;

static void *never_blocks(void *arg) {
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    CHECK_OK(zero);
    char data[64];
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
        CHECK_EQ(read(zero, data, sizeof data), sizeof data);
    return arg;
}

int main(void) {
    CHECK_OK(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){0, 0}));
    pthread_t t[2] = {spawn(never_blocks, NULL), spawn(never_blocks, NULL)};
    for (int i = 0; i < 5; i++)
        sleep_ms(1);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 2; i++)
        join_thread(t[i]);
    return 0;
}
