// OpenMP: parallel loops with reductions, critical sections, barriers, tasks and nested teams give the right sums.
// LIBS: -fopenmp
#include "check.h"
#include <omp.h>

static long fibonacci(int n) {
    if (n < 2)
        return n;
    long a, b;
#pragma omp task shared(a) if (n > 8)
    a = fibonacci(n - 1);
    b = fibonacci(n - 2);
#pragma omp taskwait
    return a + b;
}

int main() {
    omp_set_num_threads(4);
    for (int round = 0; round < 5; round++) {
        long sum = 0, critical = 0, phases[4] = {};
#pragma omp parallel for reduction(+ : sum) schedule(dynamic, 7)
        for (int i = 1; i <= 10000; i++)
            sum += i;
        CHECK_EQ(sum, 10000L * 10001 / 2);
#pragma omp parallel
        {
            CHECK_EQ(omp_get_num_threads(), 4);
            for (int i = 0; i < 20; i++) {
#pragma omp critical
                critical++;
            }
            phases[omp_get_thread_num()]++;
#pragma omp barrier
            CHECK_EQ(phases[0] + phases[1] + phases[2] + phases[3], 4);
        }
        CHECK_EQ(critical, 80);
        long result = 0;
#pragma omp parallel
#pragma omp single
        result = fibonacci(16);
        CHECK_EQ(result, 987);
    }
    return 0;
}
