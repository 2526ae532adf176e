// Under RLIMIT_AS pthread_create says EAGAIN when there is no room for another stack; malloc still has what is left, and after some joins threads can be made again.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

enum { MOST = 400 };

static sem_t hold;

static void *park(void *arg) {
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}

static long address_space_kb(void) {
    FILE *f = fopen("/proc/self/statm", "re");
    CHECK(f != NULL);
    long pages = 0;
    CHECK_EQ(fscanf(f, "%ld", &pages), 1);
    fclose(f);
    return pages * 4;
}

int main(void) {
    CHECK_OK(sem_init(&hold, 0, 0));
    // Some threads before there is a limit.
    pthread_t threads[MOST];
    for (int i = 0; i < 20; i++)
        threads[i] = spawn(park, NULL);
    for (int i = 0; i < 20; i++)
        CHECK_OK(sem_post(&hold));
    for (int i = 0; i < 20; i++)
        join_thread(threads[i]);
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 4 << 20), 0);
    rlim_t limit = (rlim_t)(address_space_kb() + 400 * 1024) * 1024;
    CHECK_OK(setrlimit(RLIMIT_AS, &(struct rlimit){limit, limit}));
    for (int round = 0; round < 3; round++) {
        int n = 0, rc = 0;
        while (n < MOST && (rc = pthread_create(&threads[n], &attr, park, NULL)) == 0)
            n++;
        CHECK_RC(rc, EAGAIN);
        // 100 of them, less what malloc's arenas of kernel threads take.
        CHECK(n > 5 && n <= 110);
        void *small = malloc(100000);
        CHECK(small != NULL);
        free(small);
        for (int i = 0; i < n; i++)
            CHECK_OK(sem_post(&hold));
        for (int i = 0; i < n; i++)
            join_thread(threads[i]);
    }
    return 0;
}
