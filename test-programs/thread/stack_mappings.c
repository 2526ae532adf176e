// Memory that a program maps for stacks of its own is zero and can be taken apart; what it does to the mapping of a thread's stack (protecting or unmapping a part) is as the kernel does it.
#include "check.h"
#include <sys/mman.h>

enum { SIZE = 256 * 1024, PAGE = 4096, AT_ONCE = 30 };

static int is_readable(const volatile void *address) {
    int ends[2];
    CHECK_OK(pipe(ends));
    ssize_t n = write(ends[1], (const void *)address, 1);
    CHECK(n == 1 || errno == EFAULT);
    close(ends[0]);
    close(ends[1]);
    return n == 1;
}

static char *low_end(size_t *size) {
    pthread_attr_t attr;
    void *addr;
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_getstack(&attr, &addr, size), 0);
    pthread_attr_destroy(&attr);
    // glibc counts the guard into the stack by version.
    char *low = addr;
    while (!is_readable(low))
        low += PAGE;
    return low;
}

static void *dirty(void *arg) {
    size_t size;
    memset(low_end(&size), 0x5a, SIZE / 2);
    return arg;
}

static void *protects_a_part(void *arg) {
    size_t size;
    char *low = low_end(&size);
    memset(low, 0x33, 4 * PAGE);
    // A zone above the guard, as virtual machines have it.
    CHECK_OK(mprotect(low, 2 * PAGE, PROT_NONE));
    CHECK(!is_readable(low) && !is_readable(low + 2 * PAGE - 1) && is_readable(low + 2 * PAGE));
    CHECK(!is_readable(low - 1));
    CHECK_OK(mprotect(low, PAGE, PROT_READ));
    CHECK(is_readable(low) && !is_readable(low + PAGE));
    CHECK_EQ(*low, 0x33);
    CHECK_OK(mprotect(low, 2 * PAGE, PROT_READ | PROT_WRITE));
    return arg;
}

static void *opens_its_guard(void *arg) {
    size_t size;
    char *low = low_end(&size);
    CHECK_OK(mprotect(low - PAGE, PAGE, PROT_READ | PROT_WRITE));
    low[-1] = 1;
    low[-PAGE] = 1;
    CHECK_OK(mprotect(low - PAGE, PAGE, PROT_NONE));
    return arg;
}

static void *unmaps_a_part(void *arg) {
    size_t size;
    char *low = low_end(&size);
    low[2 * PAGE] = 0x44;
    CHECK_OK(munmap(low, 2 * PAGE));
    CHECK(!is_readable(low) && is_readable(low + 2 * PAGE));
    CHECK_EQ(low[2 * PAGE], 0x44);
    // Something else at that place.
    CHECK(mmap(low, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == low);
    CHECK(is_readable(low) && !is_readable(low + PAGE));
    CHECK_EQ(*low, 0);
    return arg;
}

static void *discards_a_part(void *arg) {
    size_t size;
    char *low = low_end(&size);
    memset(low, 0x55, 4 * PAGE);
    CHECK_OK(madvise(low, 2 * PAGE, MADV_DONTNEED));
    CHECK_EQ(low[0], 0);
    CHECK_EQ(low[2 * PAGE - 1], 0);
    CHECK_EQ(low[2 * PAGE], 0x55);
    return arg;
}

static void *locks_a_part(void *arg) {
    size_t size;
    char *low = low_end(&size);
    if (mlock(low, 2 * PAGE) == 0)
        CHECK_OK(munlock(low, 2 * PAGE));
    return arg;
}

static void *stay(void *arg) {
    pthread_barrier_wait(arg);
    return NULL;
}

static void some_threads(void *(*body)(void *), void *arg) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, SIZE), 0);
    pthread_t threads[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, body, arg), 0);
    for (int i = 0; i < AT_ONCE; i++)
        join_thread(threads[i]);
    pthread_attr_destroy(&attr);
}

// In the sizes that threads' stacks have, with and without their guard.
static void own_mappings(void) {
    for (int i = 0; i < 2 * AT_ONCE; i++) {
        size_t size = SIZE + i % 2 * PAGE;
        char *stack = mmap(NULL, size, i % 4 < 2 ? PROT_NONE : PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        CHECK(stack != MAP_FAILED);
        CHECK_EQ(is_readable(stack + size / 2), i % 4 >= 2);
        CHECK_OK(mprotect(stack + PAGE, size - PAGE, PROT_READ | PROT_WRITE));
        for (size_t at = PAGE; at < size; at += 64)
            CHECK_EQ(stack[at], 0);
        memset(stack + PAGE, 0x66, size - PAGE);
        CHECK_OK(munmap(stack + 4 * PAGE, 4 * PAGE));
        CHECK(!is_readable(stack + 4 * PAGE) && is_readable(stack + 8 * PAGE));
        char *moved = mremap(stack + 8 * PAGE, size - 8 * PAGE, 2 * size, MREMAP_MAYMOVE);
        CHECK(moved != MAP_FAILED);
        CHECK_EQ(moved[0], 0x66);
        CHECK_EQ(moved[2 * size - 1], 0);
        CHECK_OK(munmap(moved, 2 * size));
        CHECK_OK(munmap(stack, 4 * PAGE));
    }
}

int main(void) {
    some_threads(dirty, NULL);
    own_mappings();
    pthread_barrier_t barrier;
    pthread_t neighbours[4];
    CHECK_RC(pthread_barrier_init(&barrier, NULL, 5), 0);
    for (int i = 0; i < 4; i++)
        neighbours[i] = spawn(stay, &barrier);
    // libc keeps a stack for the next thread, which has to find it in order; those that don't are made last.
    void *(*bodies[])(void *) = {dirty, protects_a_part, opens_its_guard, discards_a_part, locks_a_part};
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
            some_threads(bodies[i], NULL);
    some_threads(unmaps_a_part, NULL);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 4; i++)
        join_thread(neighbours[i]);
    own_mappings();
    return 0;
}
