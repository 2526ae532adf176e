// A thread runs on the memory that pthread_attr_setstack names, may use nearly all of it, and the memory serves the next thread after the join.
#include "check.h"
#include <limits.h>
#include <sys/mman.h>

enum { SIZE = 256 * 1024 };
static char *stack;

static void *inside(void *arg) {
    (void)arg;
    volatile char room[SIZE - 64 * 1024];
    CHECK((char *)room >= stack && (char *)room + sizeof room <= stack + SIZE);
    memset((char *)room, 1, sizeof room);
    sched_yield();
    sleep_ms(1);
    for (size_t i = 0; i < sizeof room; i += 512)
        CHECK_EQ(room[i], 1);
    pthread_attr_t attr;
    void *addr;
    size_t size;
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_getstack(&attr, &addr, &size), 0);
    CHECK(addr == stack);
    CHECK_EQ(size, SIZE);
    pthread_attr_destroy(&attr);
    return stack;
}

int main(void) {
    stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstack(&attr, stack, PTHREAD_STACK_MIN - 1), EINVAL);
    CHECK_RC(pthread_attr_setstack(&attr, stack, SIZE), 0);
    for (int i = 0; i < 100; i++) {
        pthread_t t;
        CHECK_RC(pthread_create(&t, &attr, inside, NULL), 0);
        CHECK(join_thread(t) == stack);
        memset(stack, 0x5a, SIZE);
    }
    // The memory is the program's still: nobody has unmapped or kept it.
    CHECK_OK(munmap(stack, SIZE));
    return 0;
}
