// Rounding mode and exception flags (SSE and x87) are inherited at creation and each thread's own across switches; results of computations too.
// LIBS: -lm
#include "check.h"
#include <fenv.h>
#include <semaphore.h>

enum { THREADS = 8 };
static const int modes[4] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
static sem_t sem;

static void expect(int mode) {
    volatile double one = 1.0, three = 3.0;
    volatile long double lone = 1.0L, lthree = 3.0L;
    CHECK_EQ(fegetround(), mode);
    double up = one / three, negative = -one / three;
    long double lup = lone / lthree;
    // The three values of 1/3 between which the modes choose.
    CHECK_EQ(up > 0x1.5555555555555p-2, mode == FE_UPWARD);
    CHECK_EQ(negative < -0x1.5555555555555p-2, mode == FE_DOWNWARD);
    CHECK_EQ(lup > 0xa.aaaaaaaaaaaaaaap-5L, mode == FE_UPWARD || mode == FE_TONEAREST);
}

static void *inherits(void *arg) {
    expect((int)(long)arg);
    return NULL;
}

static void *keep(void *arg) {
    long me = (long)arg;
    int mode = modes[me % 4];
    CHECK_EQ(fesetround(mode), 0);
    feclearexcept(FE_ALL_EXCEPT);
    if (me % 3 == 0)
        feraiseexcept(FE_DIVBYZERO);
    volatile double sum = 0.5 * (double)me, one = 1.0;
    for (int i = 0; i < 100; i++) {
        expect(mode);
        sum += one;
        switch (i % 5) {
        case 0:
            sched_yield();
            break;
        case 1:
            CHECK_OK(sem_wait(&sem));
            sched_yield();
            CHECK_OK(sem_post(&sem));
            break;
        case 2:
            if (i % 25 == 2)
                sleep_ms(1);
        }
        CHECK_EQ(fetestexcept(FE_DIVBYZERO) != 0, me % 3 == 0);
    }
    CHECK(sum == 100.0 + 0.5 * (double)me);
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&sem, 0, 1));
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(fesetround(modes[i]), 0);
        join_thread(spawn(inherits, (void *)(long)modes[i]));
    }
    fesetround(FE_TONEAREST);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = spawn(keep, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join_thread(threads[i]);
    expect(FE_TONEAREST);
    return 0;
}
