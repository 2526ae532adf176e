// Protection keys: each thread has its own rights by key, a new one its maker's; a handler begins without any and gives the thread's back; calls of a helper have the caller's.
#include "check.h"
#include <semaphore.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/sem.h>

#define KEYS 3

static int key[KEYS];
static char *page[KEYS];
static pthread_barrier_t round_;
static sem_t go;
static __thread sigjmp_buf back;
static volatile sig_atomic_t seen_in_handler = -1;

static void jump(int signal) {
    siglongjmp(back, signal);
}

static int can_write(int i) {
    // A jump out of the handler leaves the handler's rights behind.
    int rights[KEYS], caught;
    for (int k = 0; k < KEYS; k++)
        rights[k] = pkey_get(key[k]);
    if ((caught = sigsetjmp(back, 1)) == 0)
        *(volatile char *)page[i] = 1;
    for (int k = 0; k < KEYS; k++)
        CHECK_OK(pkey_set(key[k], rights[k]));
    return !caught;
}

static void look(int signal) {
    (void)signal;
    seen_in_handler = pkey_get(key[0]);
}

static void *has_no_rights(void *arg) {
    CHECK_OK(sem_wait(&go));
    for (int i = 0; i < KEYS; i++) {
        CHECK(pkey_get(key[i]) == PKEY_DISABLE_ACCESS);
        CHECK(!can_write(i));
    }
    return arg;
}

// Rights of its own in each round, which others' turns leave alone.
static void *changes(void *arg) {
    int me = (int)(long)arg;
    for (int i = 0; i < KEYS; i++)
        CHECK(pkey_get(key[i]) == 0); // the maker's
    for (int round = 0; round < 20; round++) {
        int rights = (me + round) % 3;
        CHECK_OK(pkey_set(key[me], rights));
        pthread_barrier_wait(&round_);
        CHECK(pkey_get(key[me]) == rights);
        CHECK(can_write(me) == (rights == 0));
        CHECK_OK(sched_yield());
        CHECK(pkey_get(key[me]) == rights);
        CHECK(pkey_get(key[(me + 1) % KEYS]) == 0);
        pthread_barrier_wait(&round_);
    }
    return NULL;
}

// A semaphore operation that waits is made by a helper, where there are no green threads by the kernel itself.
static int semaphores;
static void *waits(void *arg) {
    struct sembuf *down = (struct sembuf *)page[2];
    CHECK_OK(pkey_set(key[2], *(int *)arg));
    if (*(int *)arg == 0)
        CHECK_OK(semop(semaphores, down, 1));
    else
        CHECK_ERR(semop(semaphores, down, 1), EFAULT);
    return NULL;
}

int main(void) {
    CHECK_OK(sem_init(&go, 0, 0));
    pthread_t early = spawn(has_no_rights, NULL);
    CHECK_OK(sched_yield());
    for (int i = 0; i < KEYS; i++) {
        key[i] = pkey_alloc(0, i);
        if (key[i] < 0)
            SKIP("no protection keys");
        CHECK(pkey_get(key[i]) == i);
        page[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(page[i] != MAP_FAILED);
        CHECK_OK(pkey_mprotect(page[i], 4096, PROT_READ | PROT_WRITE, key[i]));
    }
    struct sigaction action = {.sa_handler = jump};
    CHECK_OK(sigaction(SIGSEGV, &action, NULL));
    CHECK(can_write(0) && !can_write(1) && !can_write(2));
    CHECK_OK(sem_post(&go));
    join_thread(early);
    for (int i = 0; i < KEYS; i++)
        CHECK(pkey_get(key[i]) == i);

    action.sa_handler = look;
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK(seen_in_handler == PKEY_DISABLE_ACCESS);
    CHECK(pkey_get(key[0]) == 0 && pkey_get(key[1]) == 1);

    for (int i = 0; i < KEYS; i++)
        CHECK_OK(pkey_set(key[i], 0));
    CHECK_RC(pthread_barrier_init(&round_, NULL, KEYS), 0);
    pthread_t threads[KEYS];
    for (long i = 0; i < KEYS; i++)
        threads[i] = spawn(changes, (void *)i);
    for (int i = 0; i < KEYS; i++)
        join_thread(threads[i]);

    semaphores = semget(IPC_PRIVATE, 1, 0600);
    CHECK_OK(semaphores);
    *(struct sembuf *)page[2] = (struct sembuf){.sem_op = -1};
    int all = 0, none = PKEY_DISABLE_ACCESS;
    pthread_t refused = spawn(waits, &none), waiter = spawn(waits, &all);
    join_thread(refused);
    CHECK_OK(pkey_set(key[2], PKEY_DISABLE_ACCESS));
    usleep(1000);
    CHECK_OK(semop(semaphores, &(struct sembuf){.sem_op = 1}, 1));
    join_thread(waiter);
    CHECK_OK(semctl(semaphores, 0, IPC_RMID));

    // In a forked child they are as in the thread that forked.
    CHECK_OK(pkey_set(key[0], PKEY_DISABLE_WRITE));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        CHECK(pkey_get(key[0]) == PKEY_DISABLE_WRITE && pkey_get(key[1]) == 0);
        for (int i = 0; i < KEYS; i++)
            CHECK_OK(pkey_set(key[i], PKEY_DISABLE_ACCESS));
        CHECK_OK(sem_post(&go));
        join_thread(spawn(has_no_rights, NULL));
        _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(pkey_get(key[0]) == PKEY_DISABLE_WRITE);
    return 0;
}
