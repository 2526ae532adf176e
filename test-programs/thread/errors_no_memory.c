// With no memory left, what needs some says so: ENOMEM of setting a later key, of pthread_atfork and of attributes, thrd_nomem or thrd_error of C11; with some again the others work.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>
#include <threads.h>

static void *wait_here(void *arg) {
    pause();
    return arg;
}

static int never(void *arg) {
    (void)arg;
    return 0;
}

static void none(void) {}

// Takes everything that malloc can still give.
static void **use_up(void) {
    void **all = NULL;
    for (size_t size = 1 << 20; size >= sizeof(void *); size /= 2)
        for (void **piece; (piece = malloc(size)) != NULL; all = piece)
            *piece = all;
    return all;
}

static void give_back(void **all) {
    while (all != NULL) {
        void **next = *all;
        free(all);
        all = next;
    }
}

int main(void) {
    spawn(wait_here, NULL);
    // Values of the first 32 keys lie in the thread itself.
    pthread_key_t key;
    int keys = 0;
    do
        CHECK_RC(pthread_key_create(&key, NULL), 0);
    while (++keys < 40);
    pthread_attr_t attr;
    cpu_set_t *set = CPU_ALLOC(4096);
    CPU_ZERO_S(CPU_ALLOC_SIZE(4096), set);
    CHECK_RC(pthread_attr_init(&attr), 0);

    struct rlimit before, little;
    CHECK_OK(getrlimit(RLIMIT_AS, &before));
    little = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_AS, &little));
    void **all = use_up();
    int set_key = pthread_setspecific(key, &key);
    int at_fork = 0;
    for (int i = 0; i < 100000 && at_fork == 0; i++)
        at_fork = pthread_atfork(none, none, none);
    int affinity = pthread_attr_setaffinity_np(&attr, CPU_ALLOC_SIZE(4096), set);
    thrd_t c11;
    int c11_create = thrd_create(&c11, never, NULL);
    pthread_t thread;
    int create = pthread_create(&thread, NULL, wait_here, NULL);
    errno = 0;
    sem_t *sem = sem_open("/greenpatch-no-memory", O_CREAT, 0600, 1);
    int sem_error = errno;
    give_back(all);
    CHECK_OK(setrlimit(RLIMIT_AS, &before));
    sem_unlink("/greenpatch-no-memory");

    CHECK_RC(set_key, ENOMEM);
    CHECK_RC(at_fork, ENOMEM);
    CHECK_RC(affinity, ENOMEM);
    // C11 knows of memory only, libc of resources.
    CHECK(c11_create == thrd_error || c11_create == thrd_nomem);
    CHECK_RC(create, EAGAIN);
    CHECK(sem == SEM_FAILED);
    CHECK_EQ(sem_error, ENOMEM);

    CHECK_RC(pthread_setspecific(key, &key), 0);
    CHECK(pthread_getspecific(key) == &key);
    CHECK_RC(pthread_attr_setaffinity_np(&attr, CPU_ALLOC_SIZE(4096), set), 0);
    CHECK_EQ(thrd_create(&c11, never, NULL), thrd_success);
    CHECK_EQ(thrd_join(c11, NULL), thrd_success);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    CPU_FREE(set);
    return 0;
}
