// Threads that compute or spin on a plain variable, without any call, keep nobody from running; their results are right.
#include "check.h"

static volatile int flag;
static int started;

static void *spin_on_flag(void *arg) {
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    unsigned long rounds = 0;
    while (!flag)
        rounds++;
    *(unsigned long *)arg = rounds;
    return NULL;
}

static void *set_flag(void *arg) {
    flag = 1;
    return arg;
}

int main(void) {
    unsigned long rounds[3] = {0};
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        t[i] = spawn(spin_on_flag, &rounds[i]);
    EVENTUALLY(__atomic_load_n(&started, __ATOMIC_SEQ_CST) == 3);
    for (int i = 0; i < 5; i++)
        sleep_ms(1);
    flag = 1;
    for (int i = 0; i < 3; i++) {
        join_thread(t[i]);
        CHECK(rounds[i] > 0);
    }
    // And main spins itself while another has to run.
    flag = 0;
    pthread_t setter = spawn(set_flag, NULL);
    while (!flag) {
    }
    join_thread(setter);
    return 0;
}
