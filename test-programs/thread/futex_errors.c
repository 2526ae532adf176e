// Futex errors: EINVAL for misaligned words and negative counts, EFAULT for bad addresses, ENOSYS for unknown operations and clocks where none belongs.
#include "futex.h"

static uint32_t words[4];

static void errors(void) {
    // Below what the kernel gives unasked: memory that was mapped once may be another thread's by now.
    char *unmapped = (char *)1024;
    char *no_access = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(no_access != MAP_FAILED);

    for (int off = 1; off < 4; off++) {
        char *odd = (char *)words + off;
        CHECK_ERR(futex(odd, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
        CHECK_ERR(futex(odd, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EINVAL);
        CHECK_ERR(futex(odd, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
        CHECK_ERR(futex(odd, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1), EINVAL);
        CHECK_ERR(futex(odd, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EINVAL);
        CHECK_ERR(futex(words, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, odd, 0), EINVAL);
        CHECK_ERR(futex(odd, FUTEX_REQUEUE_PRIVATE, 1, (void *)1, words, 0), EINVAL);
        CHECK_ERR(futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, odd, 0), EINVAL);
    }
    void *bad[] = {unmapped, no_access, NULL};
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(futex(bad[i], FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
        CHECK_ERR(futex(bad[i], FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
        CHECK_ERR(futex(bad[i], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1), EFAULT);
        CHECK_ERR(futex(bad[i], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, words, 0), EFAULT);
        CHECK_ERR(futex(bad[i], FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EFAULT);
        CHECK_ERR(futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, bad[i], 0), EFAULT);
    }
    // A private wake does not look at the memory.
    CHECK_EQ(futex(no_access, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), 0);
    CHECK_ERR(futex(unmapped, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
    char *high = (char *)(1ul << 63);
    CHECK_ERR(futex(high, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex(high, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EFAULT);
    // Words that can only be read may be waited on.
    char *read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(read_only != MAP_FAILED);
    CHECK_ERR(futex(read_only, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, read_only, 0), EFAULT);

    CHECK_ERR(futex(words, FUTEX_REQUEUE_PRIVATE, (uint32_t)-1, (void *)1, words + 1, 0), EINVAL);
    CHECK_ERR(futex(words, FUTEX_REQUEUE_PRIVATE, 1, (void *)-1l, words + 1, 0), EINVAL);
    CHECK_ERR(futex(words, FUTEX_CMP_REQUEUE_PRIVATE, (uint32_t)-1, (void *)1, words + 1, 0), EINVAL);

    // A shared word must be there, before it is looked at.
    CHECK_ERR(futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, NULL, 12345), EFAULT);
    CHECK_ERR(futex(NULL, FUTEX_REQUEUE, 1, (void *)1, words, 0), EFAULT);

    CHECK_ERR(futex(words, FUTEX_FD, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, 14, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, 127, 0, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, FUTEX_WAIT_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, FUTEX_WAKE_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, FUTEX_REQUEUE_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, words + 1, 0), ENOSYS);
    CHECK_ERR(futex(words, FUTEX_LOCK_PI_PRIVATE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0), ENOSYS);
    CHECK_ERR(futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, words, (uint32_t)FUTEX_OP(5, 0, FUTEX_OP_CMP_EQ, 0)),
              ENOSYS);
    CHECK_ERR(futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, words, (uint32_t)FUTEX_OP(FUTEX_OP_SET, 0, 9, 0)),
              ENOSYS);
    CHECK_OK(munmap(no_access, 4096));
    CHECK_OK(munmap(read_only, 4096));
}

static void *in_thread(void *arg) {
    errors();
    return arg;
}

int main(void) {
    errors();
    // Again with others alive.
    pthread_t t[2] = {spawn(in_thread, NULL), spawn(in_thread, NULL)};
    join_thread(t[0]);
    join_thread(t[1]);
    return 0;
}
