// 1,000 threads (a million with GP_FULL=1, natively 5,000) parked on one condition variable: a signal wakes one, a broadcast all others; none is lost.
#include "check.h"
#include <limits.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER, go = PTHREAD_COND_INITIALIZER;
static long waiting, tickets, woken;

static void *wait_for_go(void *arg) {
    pthread_mutex_lock(&mutex);
    waiting++;
    pthread_cond_signal(&arrived);
    while (tickets == 0)
        pthread_cond_wait(&go, &mutex);
    tickets--;
    woken++;
    pthread_cond_signal(&arrived);
    pthread_mutex_unlock(&mutex);
    return arg;
}

// With the mutex held.
static void wait_until(const long *count, long value) {
    while (*count != value)
        pthread_cond_wait(&arrived, &mutex);
}

static long available_kb(void) {
    FILE *f = fopen("/proc/meminfo", "re");
    long kb = 0;
    for (char line[128]; f != NULL && fgets(line, sizeof line, f) != NULL;)
        if (sscanf(line, "MemAvailable: %ld", &kb) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kb;
}

int main(void) {
    long n = !full_run() ? 1000 : preloaded() ? 1000000 : 5000;
    // Two or three pages of stack and a kilobyte or two of ours each, and their page tables.
    if (available_kb() < n * 16)
        SKIP("too little memory");
    pthread_t *threads = calloc((size_t)n, sizeof *threads);
    CHECK(threads != NULL);
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN), 0);
    for (long i = 0; i < n; i++)
        CHECK_RC(pthread_create(&threads[i], &attr, wait_for_go, (void *)i), 0);
    pthread_mutex_lock(&mutex);
    wait_until(&waiting, n);
    CHECK_ONE_KERNEL_THREAD();
    for (long i = 1; i <= 10; i++) {
        tickets++;
        pthread_cond_signal(&go);
        wait_until(&woken, i);
    }
    tickets = n - 10;
    pthread_cond_broadcast(&go);
    wait_until(&woken, n);
    pthread_mutex_unlock(&mutex);
    for (long i = 0; i < n; i++)
        CHECK_EQ((long)join_thread(threads[i]), i);
    CHECK_EQ(tickets, 0);
    return 0;
}
