// With no address space left pthread_create is EAGAIN, the first one too, and what runs goes on; with room again it works. Detached threads made in a loop at the limit all run.
#include "check.h"
#include <sys/mman.h>
#include <sys/resource.h>

static int ran;

static void *count(void *arg) {
    __atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static struct rlimit unlimited;

static void limit_to_now_and(size_t more) {
    struct rlimit limit = unlimited;
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f != NULL && fscanf(f, "%zu", &pages) == 1);
    fclose(f);
    limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + more;
    CHECK_OK(setrlimit(RLIMIT_AS, &limit));
}

static void fill_up(void) {
    for (size_t size = 1 << 20; size >= 4096; size /= 2)
        while (mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
        }
}

static void *starve(void *arg) {
    pthread_t t;
    limit_to_now_and(2 << 20);
    fill_up();
    // A stack may be left from before.
    int rc = pthread_create(&t, NULL, count, NULL);
    CHECK(rc == 0 || rc == EAGAIN);
    if (rc == 0)
        join_thread(t);
    sleep_ms(1);
    CHECK_OK(setrlimit(RLIMIT_AS, &unlimited));
    ran = 0;
    CHECK_RC(pthread_create(&t, NULL, count, NULL), 0);
    join_thread(t);
    return arg;
}

int main(void) {
    CHECK_OK(getrlimit(RLIMIT_AS, &unlimited));
    pthread_t t;
    limit_to_now_and(1 << 20);
    fill_up();
    CHECK_RC(pthread_create(&t, NULL, count, NULL), EAGAIN);
    CHECK_OK(setrlimit(RLIMIT_AS, &unlimited));
    CHECK_EQ(ran, 0);
    join_thread(spawn(starve, NULL));
    CHECK_EQ(ran, 1);

    enum { THREADS = 3000 };
    limit_to_now_and(100 << 20);
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 16 << 20), 0);
    for (int made = 0; made < THREADS;) {
        int rc = pthread_create(&t, &attr, count, NULL);
        CHECK(rc == 0 || rc == EAGAIN);
        made += rc == 0;
    }
    EVENTUALLY(__atomic_load_n(&ran, __ATOMIC_SEQ_CST) == THREADS + 1);
    return 0;
}
