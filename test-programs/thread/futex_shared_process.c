// Shared futexes in shared memory wake across processes in both directions, threads of one process among them, and at two mappings of one file.
#include "futex.h"

struct shared {
    uint32_t ping, pong, at_two_addresses;
};
static struct shared *shared;

static void wait_for(uint32_t *word, uint32_t wanted) {
    for (uint32_t seen; (seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) < wanted;)
        if (futex(word, FUTEX_WAIT, seen, NULL, NULL, 0) == -1)
            CHECK(errno == EAGAIN || errno == EINTR);
}

static void tell(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    CHECK(futex(word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) >= 0);
}

static void *follow(void *arg) {
    for (uint32_t i = 1; i <= 200; i++)
        wait_for(&shared->pong, i);
    return arg;
}

static void *wait_at_other_address(void *arg) {
    wait_for(arg, 1);
    return NULL;
}

int main(void) {
    int fd = memfd_create("shared", 0);
    CHECK_OK(fd);
    CHECK_OK(ftruncate(fd, 4096));
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct shared *again = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED && again != MAP_FAILED && again != shared);
    fflush(NULL);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        for (uint32_t i = 1; i <= 200; i++) {
            wait_for(&shared->ping, i);
            tell(&shared->pong, i);
        }
        _exit(0);
    }
    pthread_t followers[3];
    for (int i = 0; i < 3; i++)
        followers[i] = spawn(follow, NULL);
    for (uint32_t i = 1; i <= 200; i++) {
        tell(&shared->ping, i);
        wait_for(&shared->pong, i);
    }
    for (int i = 0; i < 3; i++)
        join_thread(followers[i]);
    CHECK_EQ(wait_child(pid), 0);

    pthread_t t = spawn(wait_at_other_address, &again->at_two_addresses);
    EVENTUALLY(futex_waiters(&shared->at_two_addresses, 0) == 1);
    shared->at_two_addresses = 1;
    CHECK_EQ(futex(&shared->at_two_addresses, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    join_thread(t);
    return 0;
}
