// A library that bears the mark of those that Go's compiler makes, and like theirs makes a thread when it is loaded.
#include <pthread.h>

__asm__(".pushsection .note.go.buildid,\"a\",@note\n\t"
        ".balign 4\n\t"
        ".long 4, 4, 4\n\t"
        ".ascii \"Go\\0\\0\"\n\t"
        ".ascii \"id\\0\\0\"\n\t"
        ".popsection\n\t");

static void *run(void *arg) { return arg; }

__attribute__((constructor)) static void begin(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) == 0)
        pthread_join(thread, NULL);
}
