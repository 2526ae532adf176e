// fork with a thousand parked threads (ten thousand in the long form): parent and child both go on.
#include "os/channel.h"
#include <sys/resource.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static int arrived, go;

static void *stay_parked(void *arg) {
    (void)arg;
    pthread_mutex_lock(&lock);
    arrived++;
    pthread_cond_broadcast(&change);
    while (!go)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

int main(void) {
    int count = full_run() ? 10000 : 1000;
    pthread_attr_t attr;
    CHECK_RC(pthread_attr_init(&attr), 0);
    CHECK_RC(pthread_attr_setstacksize(&attr, 64 * 1024), 0);
    pthread_t *t = calloc(count, sizeof *t);
    CHECK(t != NULL);
    for (int i = 0; i < count; i++)
        CHECK_RC(pthread_create(&t[i], &attr, stay_parked, NULL), 0);
    pthread_mutex_lock(&lock);
    while (arrived < count)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    for (int round = 0; round < 3; round++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            int end[2];
            char c;
            open_pipe(end);
            struct later later = {.fd = end[1], .data = "x", .len = 1};
            pthread_t thread = spawn(do_later, &later);
            CHECK_EQ(read(end[0], &c, 1), 1);
            join_thread(thread);
            _exit(9);
        }
        CHECK_EQ(wait_child(pid), 9 << 8);
    }
    pthread_mutex_lock(&lock);
    go = 1;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < count; i++)
        join_thread(t[i]);
    return 0;
}
