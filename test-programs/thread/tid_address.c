// set_tid_address and PR_GET_TID_ADDRESS are each thread's own: a thread that sets what it was told can still be joined.
#include "check.h"
#include <sys/prctl.h>

#ifndef PR_GET_TID_ADDRESS
#define PR_GET_TID_ADDRESS 40
#endif

enum { THREADS = 8 };
static pthread_barrier_t barrier;
static int *addresses[THREADS + 1];

static int *address(void) {
    int *at = NULL;
    if (prctl(PR_GET_TID_ADDRESS, &at) != 0) {
        CHECK_EQ(errno, EINVAL);
        SKIP("this kernel has no PR_GET_TID_ADDRESS");
    }
    return at;
}

static void *set_again(void *arg) {
    long i = (long)arg;
    addresses[i] = address();
    CHECK(addresses[i] != NULL);
    CHECK_EQ(syscall(SYS_set_tid_address, NULL), gettid());
    CHECK(address() == NULL);
    pthread_barrier_wait(&barrier);
    CHECK_EQ(syscall(SYS_set_tid_address, addresses[i]), gettid());
    CHECK(address() == addresses[i]);
    CHECK_EQ(prctl(PR_GET_TID_ADDRESS, 8), -1);
    CHECK_EQ(errno, EFAULT);
    return arg;
}

int main(void) {
    pthread_t threads[THREADS];
    CHECK_RC(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    addresses[THREADS] = address();
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(set_again, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        join_thread(threads[i]);
        for (int j = 0; j <= THREADS; j++)
            CHECK(i == j || addresses[i] != addresses[j]);
    }
    CHECK(address() == addresses[THREADS]);
    puts("ok");
    return 0;
}
