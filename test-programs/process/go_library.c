// A program that has loaded a library written in Go when it makes its first thread has kernel threads, as without the shim.
#include "check.h"
#include <dlfcn.h>
#include <libgen.h>

static int ready[2], done[2];

static void *thread(void *arg) {
    (void)arg;
    char byte;
    CHECK(gettid() != getpid());
    CHECK_EQ(write(ready[1], "r", 1), 1);
    CHECK_EQ(read(done[0], &byte, 1), 1);
    return NULL;
}

int main(int argc, char **argv) {
    (void)argc;
    // Armed at load, the shim does not know yet.
    if (getenv("GREENPATCH_ARM") != NULL) {
        CHECK_OK(unsetenv("GREENPATCH_ARM"));
        CHECK_OK(execv("/proc/self/exe", argv));
    }
    char self[4096], path[4200];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(n > 0);
    self[n] = '\0';
    snprintf(path, sizeof path, "%s/go_library.so", dirname(self));
    if (dlopen(path, RTLD_NOW) == NULL)
        CHECK_FAIL("%s", dlerror());
    CHECK_OK(pipe(ready));
    CHECK_OK(pipe(done));
    pthread_t other;
    CHECK_RC(pthread_create(&other, NULL, thread, NULL), 0);
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    CHECK_EQ(kernel_threads(), 2);
    CHECK_EQ(write(done[1], "d", 1), 1);
    CHECK_RC(pthread_join(other, NULL), 0);
    return 0;
}
