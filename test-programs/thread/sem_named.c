// Named semaphores: sem_open (EEXIST, ENOENT, EINVAL), the same object for the same name, hand-over between threads and with a child process, unlink.
#include "check.h"
#include <semaphore.h>

static sem_t *to_child, *from_child;

static void *answer(void *arg) {
    for (int i = 0; i < 50; i++) {
        while (sem_wait(to_child) == -1)
            CHECK_EQ(errno, EINTR);
        CHECK_OK(sem_post(from_child));
    }
    return arg;
}

int main(void) {
    char a[64], b[64];
    snprintf(a, sizeof a, "/greenpatch-test-a-%d", getpid());
    snprintf(b, sizeof b, "/greenpatch-test-b-%d", getpid());
    CHECK(sem_open(a, 0) == SEM_FAILED && errno == ENOENT);
    CHECK(sem_open("/", O_CREAT, 0600, 0) == SEM_FAILED && errno == EINVAL);
    to_child = sem_open(a, O_CREAT | O_EXCL, 0600, 0);
    if (to_child == SEM_FAILED && (errno == ENOSYS || errno == EACCES || errno == ENOENT))
        SKIP("no /dev/shm here");
    CHECK(to_child != SEM_FAILED);
    CHECK(sem_open(a, O_CREAT | O_EXCL, 0600, 0) == SEM_FAILED && errno == EEXIST);
    CHECK(sem_open(a, 0) == to_child);
    CHECK_OK(sem_close(to_child));
    from_child = sem_open(b, O_CREAT, 0600, 0);
    CHECK(from_child != SEM_FAILED);

    pthread_t t = spawn(answer, NULL);
    for (int i = 0; i < 50; i++) {
        CHECK_OK(sem_post(to_child));
        CHECK_OK(sem_wait(from_child));
    }
    join_thread(t);

    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        answer(NULL);
        _exit(0);
    }
    for (int i = 0; i < 50; i++) {
        CHECK_OK(sem_post(to_child));
        CHECK_OK(sem_wait(from_child));
    }
    CHECK_EQ(wait_child(pid), 0);
    CHECK_OK(sem_close(to_child));
    CHECK_OK(sem_close(from_child));
    CHECK_OK(sem_unlink(a));
    CHECK_OK(sem_unlink(b));
    CHECK_ERR(sem_unlink(b), ENOENT);
    return 0;
}
