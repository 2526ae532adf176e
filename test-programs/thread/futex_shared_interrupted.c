// A wait on shared memory: with a deadline a handler ends it with EINTR, even with SA_RESTART; without one it goes on. Also just after a wake-up by another thread.
#include "os/channel.h"
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ROUNDS = 50 };
static uint32_t *word;
static int handled, step;
static pid_t waiter;

static void count(int signal) {
    (void)signal;
    __atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
}

static long wait_until(const struct timespec *deadline) {
    about_to_block(&waiter);
    return syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 0, deadline, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void *wait_twice(void *arg) {
    struct timespec deadline = deadline_in(CLOCK_MONOTONIC, 100000);
    for (int i = 0; i < ROUNDS; i++) {
        __atomic_store_n(&step, 4 * i + 1, __ATOMIC_SEQ_CST);
        CHECK_OK(wait_until(NULL));
        waiter = 0;
        __atomic_store_n(&step, 4 * i + 2, __ATOMIC_SEQ_CST);
        CHECK_ERR(wait_until(&deadline), EINTR);
        CHECK_EQ(handled, 2 * i + 1);
        waiter = 0;
        __atomic_store_n(&step, 4 * i + 3, __ATOMIC_SEQ_CST);
        // Is restarted, until it is woken.
        CHECK_OK(wait_until(NULL));
        CHECK_EQ(handled, 2 * i + 2);
    }
    return arg;
}

static void await_step(int wanted) {
    while (__atomic_load_n(&step, __ATOMIC_SEQ_CST) != wanted)
        sched_yield();
}

static void wake_one(void) {
    while (syscall(SYS_futex, word, FUTEX_WAKE, 1) != 1)
        sched_yield();
}

static void interrupt(pthread_t thread) {
    int before = __atomic_load_n(&handled, __ATOMIC_SEQ_CST);
    CHECK_RC(pthread_kill(thread, SIGUSR1), 0);
    while (__atomic_load_n(&handled, __ATOMIC_SEQ_CST) == before)
        sched_yield();
}

// Green threads have come to their wait by now.
static void await_wait(void) {
    if (!preloaded())
        await_blocked(&waiter);
}

int main(void) {
    word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(word != MAP_FAILED);
    on_signal(SIGUSR1, count, SA_RESTART);
    pthread_t thread = spawn(wait_twice, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        await_step(4 * i + 1);
        wake_one();
        await_step(4 * i + 2);
        await_wait();
        if (i % 2 == 1)
            sched_yield();
        interrupt(thread);
        await_step(4 * i + 3);
        await_wait();
        interrupt(thread);
        wake_one();
    }
    join_thread(thread);
    return 0;
}
