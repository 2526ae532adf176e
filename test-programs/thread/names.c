// Thread names: inherited, set and read for oneself and for another parked thread, also by prctl and in /proc; ERANGE for a long name and a short buffer.
#include "check.h"
#include <semaphore.h>
#include <sys/prctl.h>

static sem_t ready, hold;
static pid_t tid;

static void *park(void *arg) {
    char name[16];
    CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STR(name, "the-main");
    CHECK_RC(pthread_setname_np(pthread_self(), "worker"), 0);
    tid = gettid();
    sem_post(&ready);
    sem_wait(&hold);
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "renamed-by-main");
    CHECK_OK(prctl(PR_SET_NAME, "a name that is far too long"));
    CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STR(name, "a name that is ");
    sem_post(&ready);
    sem_wait(&hold);
    return arg;
}

int main(void) {
    char name[16], path[64];
    CHECK_OK(sem_init(&ready, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    CHECK_RC(pthread_setname_np(pthread_self(), "the-main"), 0);
    CHECK_RC(pthread_setname_np(pthread_self(), "sixteen-letters!"), ERANGE);
    CHECK_RC(pthread_getname_np(pthread_self(), name, 15), ERANGE);
    pthread_t t = spawn(park, NULL);
    CHECK_OK(sem_wait(&ready));
    CHECK_RC(pthread_getname_np(t, name, sizeof name), 0);
    CHECK_STR(name, "worker");
    CHECK_RC(pthread_setname_np(t, "renamed-by-main"), 0);
    CHECK_RC(pthread_getname_np(t, name, sizeof name), 0);
    CHECK_STR(name, "renamed-by-main");
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", tid);
    FILE *f = fopen(path, "re");
    CHECK(f != NULL);
    char line[64] = "";
    CHECK(fgets(line, sizeof line, f) != NULL);
    CHECK_STR(line, "renamed-by-main\n");
    fclose(f);
    CHECK_OK(sem_post(&hold));
    CHECK_OK(sem_wait(&ready));
    CHECK_RC(pthread_getname_np(t, name, sizeof name), 0);
    CHECK_STR(name, "a name that is ");
    CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STR(name, "the-main");
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    return 0;
}
