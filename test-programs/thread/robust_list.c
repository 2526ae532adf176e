// set_robust_list and get_robust_list: one's own and another thread's list, ESRCH, EINVAL; at thread end the listed words get the owner-died bit and one waiter wakes.
#include "futex.h"
#include <stddef.h>

struct lock {
    struct robust_list list;
    uint32_t word;
};

static struct lock lock_a, lock_b, foreign;
static struct robust_list_head head;
static pid_t other_tid;
static int ready, seen;

static void *die(void *arg) {
    uint32_t me = (uint32_t)gettid();
    head.list.next = &lock_a.list;
    lock_a.list.next = &lock_b.list;
    lock_b.list.next = &foreign.list;
    foreign.list.next = &head.list;
    head.futex_offset = offsetof(struct lock, word) - offsetof(struct lock, list);
    head.list_op_pending = NULL;
    lock_a.word = me;
    lock_b.word = me | FUTEX_WAITERS;
    foreign.word = 1;
    CHECK_ERR(syscall(SYS_set_robust_list, &head, sizeof head + 1), EINVAL);
    CHECK_OK(syscall(SYS_set_robust_list, &head, sizeof head));
    struct robust_list_head *got = NULL;
    size_t size = 0;
    CHECK_OK(syscall(SYS_get_robust_list, 0, &got, &size));
    CHECK(got == &head);
    CHECK_EQ(size, sizeof head);
    other_tid = (pid_t)me;
    __atomic_store_n(&ready, 1, __ATOMIC_SEQ_CST);
    EVENTUALLY(__atomic_load_n(&seen, __ATOMIC_SEQ_CST) == 1);
    return arg;
}

static void *wait_for_b(void *arg) {
    uint32_t value;
    while (((value = __atomic_load_n(&lock_b.word, __ATOMIC_SEQ_CST)) & FUTEX_OWNER_DIED) == 0)
        if (futex(&lock_b.word, FUTEX_WAIT, value, NULL, NULL, 0) == -1)
            CHECK(errno == EAGAIN);
    return arg;
}

int main(void) {
    struct robust_list_head *got = NULL;
    size_t size = 0;
    CHECK_ERR(syscall(SYS_get_robust_list, 0x3ffffffe, &got, &size), ESRCH);
    pthread_t t = spawn(die, NULL);
    EVENTUALLY(__atomic_load_n(&ready, __ATOMIC_SEQ_CST) == 1);
    CHECK_OK(syscall(SYS_get_robust_list, other_tid, &got, &size));
    CHECK(got == &head);
    pthread_t waiter = spawn(wait_for_b, NULL);
    EVENTUALLY(futex_waiters(&lock_b.word, 0) == 1);
    __atomic_store_n(&seen, 1, __ATOMIC_SEQ_CST);
    join_thread(t);
    join_thread(waiter);
    CHECK_EQ(lock_a.word, FUTEX_OWNER_DIED);
    CHECK_EQ(lock_b.word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
    CHECK_EQ(foreign.word, 1);
    return 0;
}
