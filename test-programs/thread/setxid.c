// setresuid, setresgid and setgroups in one thread change every thread's identity.
#include "check.h"
#include <grp.h>
#include <semaphore.h>

static sem_t hold;

static void *look(void *arg) {
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    uid_t r, e, s;
    CHECK_OK(syscall(SYS_getresuid, &r, &e, &s));
    CHECK(r == 54321 && e == 54321 && s == 54321);
    CHECK_OK(syscall(SYS_getresgid, &r, &e, &s));
    CHECK(r == 54322 && e == 54322 && s == 54322);
    CHECK_EQ(syscall(SYS_getgroups, 0, NULL), 0);
    return arg;
}

static void *change(void *arg) {
    CHECK_OK(setgroups(0, NULL));
    CHECK_OK(setresgid(54322, 54322, 54322));
    CHECK_OK(setresuid(54321, 54321, 54321));
    CHECK_ERR(setresuid(0, 0, 0), EPERM);
    return arg;
}

int main(void) {
    if (geteuid() != 0)
        SKIP("only root may become another user");
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t t[20];
    for (int i = 0; i < 20; i++)
        t[i] = spawn(look, NULL);
    sleep_ms(2);
    join_thread(spawn(change, NULL));
    for (int i = 0; i < 20; i++)
        CHECK_OK(sem_post(&hold));
    for (int i = 0; i < 20; i++)
        join_thread(t[i]);
    look((sem_post(&hold), NULL));
    return 0;
}
