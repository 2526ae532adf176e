// A hole that the program has left in its address space, for the stack of its first thread to grow down into, is still free: the stack grows.
#include "check.h"
#include <sys/mman.h>

enum { PAGE = 4096, STACK = 512 * 1024, MAPPED = 64 * 1024, BELOW = 4 << 20 };

static char *lowest;

// Recursion, because the kernel may look whether the stack pointer is where the stack is to grow.
static __attribute__((noinline)) int descend(int depth) {
    volatile char page[PAGE / 2];
    page[0] = (char)depth;
    if ((char *)page < lowest + 2 * PAGE)
        return depth;
    return descend(depth + 1) + (page[0] != (char)depth);
}

static void *body(void *arg) {
    *(int *)arg = descend(0);
    return arg;
}

int main(void) {
    int rights = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *hole = mmap(NULL, BELOW + STACK, rights, flags, -1, 0);
    CHECK(hole != MAP_FAILED);
    CHECK_OK(munmap(hole, BELOW + STACK));
    lowest = hole + BELOW;
    char *mapped = lowest + STACK - MAPPED;
    CHECK(mmap(mapped, MAPPED, rights, flags | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0) == mapped);
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstack(&attr, lowest, STACK), 0);
    pthread_t thread;
    int depth = 0;
    CHECK_RC(pthread_create(&thread, &attr, body, &depth), 0);
    join_thread(thread);
    CHECK(depth > (STACK - MAPPED) / PAGE);
    // Below it, nothing has been put.
    CHECK(mmap(hole, BELOW - PAGE, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0) == hole);
    return 0;
}
