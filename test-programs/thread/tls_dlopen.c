// Thread-local variables of a library that is loaded and unloaded while threads are alive are each thread's own.
#include "check.h"
#include <dlfcn.h>
#include <libgen.h>

enum { THREADS = 20 };
static pthread_barrier_t loaded, used;
static int (*add)(int);

static void *use(void *arg) {
    long me = (long)arg;
    pthread_barrier_wait(&loaded);
    for (int i = 1; i <= 20; i++) {
        CHECK_EQ(add((int)me), 100 + i * me);
        sched_yield();
    }
    pthread_barrier_wait(&used);
    return NULL;
}

int main(void) {
    char self[4096], path[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    self[n] = '\0';
    snprintf(path, sizeof path, "%s/tls_library.so", dirname(self));
    for (int round = 0; round < 5; round++) {
        pthread_t threads[THREADS];
        CHECK_RC(pthread_barrier_init(&loaded, NULL, THREADS + 1), 0);
        CHECK_RC(pthread_barrier_init(&used, NULL, THREADS + 1), 0);
        for (long i = 0; i < THREADS; i++)
            threads[i] = spawn(use, (void *)(i + 1));
        void *library = dlopen(path, RTLD_NOW);
        if (library == NULL)
            CHECK_FAIL("%s", dlerror());
        add = (int (*)(int))dlsym(library, "tls_library_add");
        CHECK(add != NULL);
        pthread_barrier_wait(&loaded);
        pthread_barrier_wait(&used);
        for (int i = 0; i < THREADS; i++)
            join_thread(threads[i]);
        CHECK_EQ(add(1), 101);
        CHECK_EQ(dlclose(library), 0);
    }
    return 0;
}
