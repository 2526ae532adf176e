// 10,000 threads alive at once, again and again (a hundred rounds with GP_FULL=1), all run and end; memory is flat from the second round on, no descriptor leaks.
#include "check.h"

enum { THREADS = 10000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_here = PTHREAD_COND_INITIALIZER, go_on = PTHREAD_COND_INITIALIZER;
static int here, going;
static pthread_t threads[THREADS];

static void *meet(void *arg) {
    pthread_mutex_lock(&mutex);
    if (++here == THREADS)
        pthread_cond_signal(&all_here);
    while (!going)
        pthread_cond_wait(&go_on, &mutex);
    here--;
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void round_of_threads(void) {
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 256 * 1024), 0);
    going = 0;
    for (long i = 0; i < THREADS; i++) {
        int rc = pthread_create(&threads[i], &attr, meet, (void *)i);
        if (rc == EAGAIN && !preloaded())
            SKIP("this machine does not allow 10,000 kernel threads");
        CHECK_RC(rc, 0);
    }
    pthread_mutex_lock(&mutex);
    while (here < THREADS)
        pthread_cond_wait(&all_here, &mutex);
    CHECK_ONE_KERNEL_THREAD();
    going = 1;
    pthread_cond_broadcast(&go_on);
    pthread_mutex_unlock(&mutex);
    for (long i = 0; i < THREADS; i++)
        CHECK_EQ((long)join_thread(threads[i]), i);
    CHECK_EQ(here, 0);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
}

int main(void) {
    int fds = open_fds();
    round_of_threads();
    round_of_threads();
    long before_kb = rss_kb();
    for (int i = 2; i < (full_run() ? 100 : 4); i++)
        round_of_threads();
    CHECK(rss_kb() - before_kb < 16384);
    CHECK_EQ(open_fds(), fds);
    return 0;
}
