// Cancellation and pthread_exit run cleanup handlers last in first out, popped ones not, then key destructors; handlers may block, see no second cancellation, and joiners wait for them.
#include "check.h"

static char log_text[64];
static pthread_key_t key;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int entered;

static void note(char c) {
    size_t n = strlen(log_text);
    log_text[n] = c;
}

static void handler(void *arg) {
    note(*(const char *)arg);
    sleep_ms(2);
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    // Already being cancelled: points don't act again.
    pthread_testcancel();
    CHECK(pthread_getspecific(key) != NULL);
}

static void destroy(void *arg) {
    (void)arg;
    sleep_ms(2);
    note('k');
}

static __attribute__((noinline)) void deeper(long how) {
    pthread_cleanup_push(handler, (void *)"3");
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    if (how == 0)
        for (;;)
            pause();
    pthread_exit((void *)77);
    pthread_cleanup_pop(0);
}

static void *run(void *arg) {
    CHECK_RC(pthread_setspecific(key, &entered), 0);
    pthread_cleanup_push(handler, (void *)"1");
    pthread_cleanup_push(handler, (void *)"x");
    pthread_cleanup_pop(0);
    pthread_cleanup_push(handler, (void *)"p");
    pthread_cleanup_pop(1);
    pthread_cleanup_push(handler, (void *)"2");
    deeper((long)arg);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

int main(void) {
    CHECK_RC(pthread_key_create(&key, destroy), 0);
    for (long how = 0; how < 2; how++) {
        memset(log_text, 0, sizeof log_text);
        entered = 0;
        pthread_t t = spawn(run, (void *)how);
        EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
        if (how == 0) {
            CHECK_RC(pthread_cancel(t), 0);
            CHECK_RC(pthread_cancel(t), 0);
        }
        void *result = join_thread(t);
        CHECK(result == (how == 0 ? PTHREAD_CANCELED : (void *)77));
        CHECK_STR(log_text, "p321k");
    }
    return 0;
}
