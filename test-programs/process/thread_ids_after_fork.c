// Threads that parent and child make after a fork have different ids, so that locks which both share tell them apart.
#include "check.h"
#include <sys/mman.h>

enum { THREADS = 50 };
static pid_t (*ids)[THREADS];

static void *note(void *arg) {
    *(pid_t *)arg = gettid();
    return NULL;
}

static void make_threads(pid_t *where) {
    pthread_t t[THREADS];
    // All at once: an id is used again only after its thread's end.
    for (int i = 0; i < THREADS; i++)
        t[i] = spawn(note, &where[i]);
    for (int i = 0; i < THREADS; i++)
        join_thread(t[i]);
}

int main(void) {
    ids = mmap(NULL, 2 * sizeof *ids, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ids != MAP_FAILED);
    pid_t first;
    join_thread(spawn(note, &first));
    pid_t child = fork();
    if (child == 0) {
        make_threads(ids[1]);
        _exit(0);
    }
    make_threads(ids[0]);
    CHECK_EQ(wait_child(child), 0);
    for (int i = 0; i < THREADS; i++)
        for (int j = 0; j < THREADS; j++)
            CHECK(ids[0][i] != ids[1][j]);
    return 0;
}
