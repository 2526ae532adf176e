// Where no descriptor may be opened, thread functions that would open one say EMFILE: another thread's name, main's attributes. One's own name needs none.
#include "check.h"
#include <semaphore.h>
#include <sys/resource.h>

static sem_t go;

static void *wait_for_go(void *arg) {
    CHECK_OK(sem_wait(&go));
    return arg;
}

int main(void) {
    CHECK_OK(sem_init(&go, 0, 0));
    pthread_t other = spawn(wait_for_go, NULL);
    char name[16], little[15];
    pthread_attr_t attr;
    CHECK_RC(pthread_setname_np(other, "sixteen letters!"), ERANGE);
    CHECK_RC(pthread_setname_np(pthread_self(), "sixteen letters!"), ERANGE);
    CHECK_RC(pthread_getname_np(other, little, sizeof little), ERANGE);
    CHECK_RC(pthread_getname_np(pthread_self(), little, sizeof little), ERANGE);
    CHECK_RC(pthread_setname_np(other, "other"), 0);
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_RC(pthread_attr_destroy(&attr), 0);

    struct rlimit limit, none;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    CHECK_RC(pthread_setname_np(other, "another"), EMFILE);
    CHECK_RC(pthread_getname_np(other, name, sizeof name), EMFILE);
    CHECK_RC(pthread_setname_np(pthread_self(), "itself"), 0);
    CHECK_RC(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    CHECK_STR(name, "itself");
    CHECK_RC(pthread_getattr_np(pthread_self(), &attr), EMFILE);
    CHECK_RC(pthread_getattr_np(other, &attr), 0);
    CHECK_RC(pthread_attr_destroy(&attr), 0);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));

    CHECK_RC(pthread_getname_np(other, name, sizeof name), 0);
    CHECK_STR(name, "other");
    CHECK_OK(sem_post(&go));
    join_thread(other);
    return 0;
}
