// pthread_atfork: prepare handlers last first, parent and child handlers first first, in the forking thread, and a lock taken there is whole in the child.
#include "check.h"

static char text[64];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t forking;
static long value;

static void note(char c) {
    CHECK(pthread_equal(pthread_self(), forking));
    size_t n = strlen(text);
    text[n] = c;
}
static void prepare_1(void) { note('1'); }
static void prepare_2(void) {
    note('2');
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
}
static void parent_1(void) { note('a'); }
static void parent_2(void) {
    note('b');
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}
static void child_1(void) { note('x'); }
static void child_2(void) {
    note('y');
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
}

static int stop;
static void *holds_often(void *arg) {
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        CHECK_RC(pthread_mutex_lock(&mutex), 0);
        value++;
        sched_yield();
        value++;
        CHECK_RC(pthread_mutex_unlock(&mutex), 0);
        sleep_ms(1);
    }
    return arg;
}

static void *forks(void *arg) {
    forking = pthread_self();
    for (int i = 0; i < 10; i++) {
        memset(text, 0, sizeof text);
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            CHECK_STR(text, "21xy");
            CHECK_RC(pthread_mutex_trylock(&mutex), 0);
            CHECK_EQ(value % 2, 0);
            _exit(0);
        }
        CHECK_STR(text, "21ab");
        CHECK_EQ(wait_child(pid), 0);
    }
    return arg;
}

int main(void) {
    CHECK_RC(pthread_atfork(prepare_1, parent_1, child_1), 0);
    CHECK_RC(pthread_atfork(prepare_2, parent_2, child_2), 0);
    pthread_t holder = spawn(holds_often, NULL);
    join_thread(spawn(forks, NULL));
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    join_thread(holder);
    return 0;
}
