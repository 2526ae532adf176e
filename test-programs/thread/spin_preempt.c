// pthread_spin_lock waits for a holder that sleeps, and three threads spin for it at once.
#include "check.h"

static pthread_spinlock_t lock;
static int counter, held;

static void *hold_and_sleep(void *arg) {
    CHECK_RC(pthread_spin_lock(&lock), 0);
    __atomic_store_n(&held, 1, __ATOMIC_SEQ_CST);
    sleep_ms(20);
    counter++;
    CHECK_RC(pthread_spin_unlock(&lock), 0);
    return arg;
}

static void *contend(void *arg) {
    for (int i = 0; i < 5; i++) {
        CHECK_RC(pthread_spin_lock(&lock), 0);
        int before = counter;
        sched_yield();
        counter = before + 1;
        CHECK_RC(pthread_spin_unlock(&lock), 0);
    }
    return arg;
}

int main(void) {
    CHECK_RC(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE), 0);
    pthread_t holder = spawn(hold_and_sleep, NULL), t[3];
    EVENTUALLY(__atomic_load_n(&held, __ATOMIC_SEQ_CST) == 1);
    for (int i = 0; i < 3; i++)
        t[i] = spawn(contend, NULL);
    join_thread(holder);
    for (int i = 0; i < 3; i++)
        join_thread(t[i]);
    CHECK_EQ(counter, 16);
    return 0;
}
