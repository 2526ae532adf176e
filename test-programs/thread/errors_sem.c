// Semaphores: each error number of waiting, posting, opening and unlinking, those of an ordinary user and of a process without descriptors included.
#include "check.h"
#include <limits.h>
#include <semaphore.h>
#include <sys/resource.h>

static const struct timespec past = {0, 0}, bad = {1, 1000000000}, before = {1, -1};
static sem_t sem;
static int ready;

static void *wait_here(void *arg) {
    pause();
    return arg;
}

static void on_signal(int signal) { (void)signal; }

static int wait_as(int how) {
    struct timespec far = deadline_in(CLOCK_REALTIME, 1000000), later = deadline_in(CLOCK_MONOTONIC, 1000000);
    switch (how) {
    case 0: return sem_wait(&sem);
    case 1: return sem_timedwait(&sem, &far);
    case 2: return sem_clockwait(&sem, CLOCK_REALTIME, &far);
    default: return sem_clockwait(&sem, CLOCK_MONOTONIC, &later);
    }
}

static void *wait_until_interrupted(void *arg) {
    for (int how = 0; how < 4; how++) {
        __atomic_store_n(&ready, how + 1, __ATOMIC_SEQ_CST);
        CHECK_ERR(wait_as(how), EINTR);
    }
    __atomic_store_n(&ready, 5, __ATOMIC_SEQ_CST);
    return arg;
}

static void interrupted(int shared) {
    CHECK_OK(sem_init(&sem, shared, 0));
    ready = 0;
    pthread_t waiter = spawn(wait_until_interrupted, NULL);
    // A signal before the wait has begun ends none, so there are more of them.
    while (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) < 5) {
        if (__atomic_load_n(&ready, __ATOMIC_SEQ_CST) > 0)
            CHECK_RC(pthread_kill(waiter, SIGUSR1), 0);
        sleep_ms(1);
    }
    join_thread(waiter);
}

static void unnamed(int shared) {
    int value = -1;
    CHECK_ERR(sem_init(&sem, shared, SEM_VALUE_MAX + 1u), EINVAL);
    CHECK_OK(sem_init(&sem, shared, SEM_VALUE_MAX));
    CHECK_ERR(sem_post(&sem), EOVERFLOW);
    CHECK_OK(sem_getvalue(&sem, &value));
    CHECK_EQ(value, SEM_VALUE_MAX);
    // Where nobody has to wait, nobody looks whether the time is over.
    CHECK_OK(sem_timedwait(&sem, &past));
    CHECK_OK(sem_clockwait(&sem, CLOCK_MONOTONIC, &past));
    CHECK_OK(sem_destroy(&sem));
    CHECK_OK(sem_init(&sem, shared, 0));
    CHECK_ERR(sem_trywait(&sem), EAGAIN);
    CHECK_ERR(sem_timedwait(&sem, &past), ETIMEDOUT);
    CHECK_ERR(sem_timedwait(&sem, &bad), EINVAL);
    CHECK_ERR(sem_timedwait(&sem, &before), EINVAL);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_REALTIME, &past), ETIMEDOUT);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_MONOTONIC, &past), ETIMEDOUT);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_MONOTONIC, &bad), EINVAL);
    CHECK_ERR(sem_clockwait(&sem, CLOCK_THREAD_CPUTIME_ID, &past), EINVAL);
    CHECK_OK(sem_destroy(&sem));
}

#define OPEN_ERR(wanted, ...)                                                  \
    do {                                                                       \
        errno = 0;                                                             \
        CHECK(sem_open(__VA_ARGS__) == SEM_FAILED);                            \
        CHECK_EQ(errno, wanted);                                               \
    } while (0)

static void named(const char *name) {
    char longest[NAME_MAX + 8];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    sem_unlink(name);
    OPEN_ERR(ENOENT, name, 0);
    OPEN_ERR(EINVAL, "/", O_CREAT, 0600, 1);
    OPEN_ERR(EINVAL, "", O_CREAT, 0600, 1);
    OPEN_ERR(EINVAL, "/no/folders", O_CREAT, 0600, 1);
    OPEN_ERR(EINVAL, name, O_CREAT, 0600, SEM_VALUE_MAX + 1u);
    // What libc says of it depends on the release.
    CHECK(sem_open(longest, 0) == SEM_FAILED && (errno == EINVAL || errno == ENAMETOOLONG));
    CHECK_ERR(sem_unlink(name), ENOENT);
    CHECK(sem_unlink(longest) == -1 && (errno == ENOENT || errno == ENAMETOOLONG));
    sem_unlink(name); // left by a run that was killed
    sem_t *made = sem_open(name, O_CREAT | O_EXCL, 0600, 1);
    CHECK(made != SEM_FAILED);
    OPEN_ERR(EEXIST, name, O_CREAT | O_EXCL, 0600, 1);
    // The same one once more is no error, and closing it twice is one.
    CHECK(sem_open(name, O_CREAT, 0600, 7) == made);
    CHECK_OK(sem_close(made));
    CHECK_OK(sem_close(made));
    CHECK_ERR(sem_close(made), EINVAL);
    CHECK_ERR(sem_close(&sem), EINVAL);
}

static void without_descriptors(const char *name) {
    struct rlimit limit, none;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &none));
    OPEN_ERR(EMFILE, name, 0);
    OPEN_ERR(EMFILE, name, O_CREAT, 0600, 1);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
}

static void of_another_user(const char *name) {
    pid_t child = fork();
    if (child == 0) {
        spawn(wait_here, NULL);
        if (setresuid(65534, 65534, 65534) == 0) {
            OPEN_ERR(EACCES, name, 0);
            OPEN_ERR(EACCES, name, O_CREAT, 0600, 1);
            // A sticky folder gives nothing away.
            CHECK(sem_unlink(name) == -1 && (errno == EACCES || errno == EPERM));
        }
        exit(0);
    }
    CHECK_EQ(wait_child(child), 0);
}

int main(void) {
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    spawn(wait_here, NULL);
    for (int shared = 0; shared < 2; shared++) {
        unnamed(shared);
        interrupted(shared);
    }
    char name[64];
    snprintf(name, sizeof name, "/greenpatch-errors-%d", getpid());
    named(name);
    without_descriptors(name);
    of_another_user(name);
    CHECK_OK(sem_unlink(name));
    return 0;
}
