// Threads that compute with doubles, long doubles, vector registers and errno are stopped anywhere many times and their results are right.
#include "check.h"

enum { THREADS = 6 };
static long rounds;
static int left = THREADS;

typedef double vector __attribute__((vector_size(32)));

static __attribute__((noinline)) double sums(long n, double step) {
    vector a = {0, 0, 0, 0}, b = {step, 2 * step, 3 * step, 4 * step};
    long double c = 0;
    double d = 0;
    unsigned long hash = 1;
    for (long i = 0; i < n; i++) {
        a += b;
        c += (long double)step;
        d += step;
        hash = hash * 6364136223846793005ul + (unsigned long)i;
        __asm__ volatile("" : "+x"(d), "+r"(hash));
    }
    // All exact: the steps are small multiples of a power of two.
    double all = a[0] + a[1] + a[2] + a[3];
    CHECK(all == 10 * step * (double)n);
    CHECK(c == (long double)step * n);
    CHECK(d == step * (double)n);
    return (double)(hash % 1000003);
}

static void *compute(void *arg) {
    long me = (long)arg;
    double step = 0.25 * (double)(me + 1), first = sums(rounds, step);
    errno = 1000 + (int)me;
    for (int i = 0; i < 10; i++)
        CHECK(sums(rounds, step) == first);
    CHECK_EQ(errno, 1000 + me);
    __atomic_sub_fetch(&left, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

int main(void) {
    rounds = full_run() ? 40000000 : 2000000;
    pthread_t t[THREADS];
    for (long i = 0; i < THREADS; i++)
        t[i] = spawn(compute, (void *)i);
    // Main takes turns as well, so that everybody is interrupted.
    while (__atomic_load_n(&left, __ATOMIC_SEQ_CST) > 0)
        sleep_ms(1);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
    return 0;
}
