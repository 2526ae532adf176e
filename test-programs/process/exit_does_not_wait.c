// exit while threads sleep, wait for locks and condition variables, block in lock calls of files: at once, right status.
#include "os/channel.h"
#include <sys/file.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static char path[300];

static void *wait_somewhere(void *arg) {
    switch ((intptr_t)arg) {
    case 0:
        sleep(600);
        break;
    case 1:
        pthread_mutex_lock(&lock);
        break;
    case 2: {
        static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&own);
        pthread_cond_wait(&never, &own);
        break;
    }
    case 3:
        flock(open(path, O_RDWR), LOCK_EX); // not in this thread's hands: may wait in the kernel
        break;
    case 4:
        pause();
        break;
    }
    CHECK_FAIL("came back from %d", (int)(intptr_t)arg);
}

int main(void) {
    char dir[256];
    snprintf(path, sizeof path, "%s/locked", temp_dir(dir));
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_OK(flock(fd, LOCK_EX));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        pthread_mutex_lock(&lock);
        for (intptr_t i = 0; i < 5; i++)
            spawn(wait_somewhere, (void *)i);
        sleep_ms(20);
        exit(5);
    }
    CHECK_EQ(wait_child(pid), 5 << 8);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(dir));
    return 0;
}
