// A bounded queue with process-shared mutex, condition variables and semaphore: threads of three processes fill and empty it, each process for itself and for the others, and nothing is lost, while signals interrupt some of the waits.
#include "check.h"
#include <gnu/libc-version.h>
#include <semaphore.h>
#include <sys/mman.h>

enum { PROCESSES = 3, PAIRS = 4, ITEMS = 400, ROOM = 2 };

static struct shared {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty;
    sem_t slots;
    int count, items[ROOM];
    long taken, sum, with_slot;
} *q;

static void on_signal(int sig) { (void)sig; }

static void take_slot(void) {
    while (sem_wait(&q->slots) != 0)
        CHECK_EQ(errno, EINTR);
}

static void *fill(void *arg) {
    for (int i = 1; i <= ITEMS; i++) {
        CHECK_RC(pthread_mutex_lock(&q->lock), 0);
        while (q->count == ROOM)
            CHECK_RC(pthread_cond_wait(&q->not_full, &q->lock), 0);
        q->items[q->count++] = i;
        CHECK_RC(pthread_cond_signal(&q->not_empty), 0);
        CHECK_RC(pthread_mutex_unlock(&q->lock), 0);
    }
    return arg;
}

static void *empty(void *arg) {
    for (int i = 1; i <= ITEMS; i++) {
        CHECK_RC(pthread_mutex_lock(&q->lock), 0);
        while (q->count == 0)
            CHECK_RC(pthread_cond_wait(&q->not_empty, &q->lock), 0);
        q->sum += q->items[--q->count];
        q->taken++;
        CHECK_RC(pthread_cond_signal(&q->not_full), 0);
        CHECK_RC(pthread_mutex_unlock(&q->lock), 0);
        if (i % 8 == 0) {
            take_slot();
            __atomic_add_fetch(&q->with_slot, 1, __ATOMIC_SEQ_CST);
            CHECK_OK(sem_post(&q->slots));
        }
    }
    return arg;
}

static void run_pairs(void) {
    pthread_t fillers[PAIRS], emptiers[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        fillers[i] = spawn(fill, NULL);
        emptiers[i] = spawn(empty, NULL);
    }
    for (int i = 0; i < 20; i++) {
        int sent = pthread_kill(emptiers[i % PAIRS], SIGUSR1);
        // Before glibc 2.34 a thread that has done its work is none any more.
        CHECK(sent == 0 || (sent == ESRCH && strverscmp(gnu_get_libc_version(), "2.34") < 0));
        usleep(200);
    }
    for (int i = 0; i < PAIRS; i++) {
        join_thread(fillers[i]);
        join_thread(emptiers[i]);
    }
    CHECK_ONE_KERNEL_THREAD();
}

int main(void) {
    q = mmap(NULL, sizeof *q, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(q != MAP_FAILED);
    pthread_mutexattr_t ma;
    pthread_condattr_t ca;
    CHECK_RC(pthread_mutexattr_init(&ma), 0);
    CHECK_RC(pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_mutex_init(&q->lock, &ma), 0);
    CHECK_RC(pthread_condattr_init(&ca), 0);
    CHECK_RC(pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED), 0);
    CHECK_RC(pthread_cond_init(&q->not_full, &ca), 0);
    CHECK_RC(pthread_cond_init(&q->not_empty, &ca), 0);
    CHECK_OK(sem_init(&q->slots, 1, 2));
    struct sigaction sa = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &sa, NULL));

    pid_t children[PROCESSES - 1];
    for (int i = 0; i < PROCESSES - 1; i++) {
        children[i] = fork();
        CHECK(children[i] >= 0);
        if (children[i] == 0) {
            run_pairs();
            return 0;
        }
    }
    run_pairs();
    for (int i = 0; i < PROCESSES - 1; i++) {
        int status;
        CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
        CHECK_EQ(status, 0);
    }
    const long threads = PROCESSES * PAIRS;
    CHECK_EQ(q->taken, threads * ITEMS);
    CHECK_EQ(q->sum, threads * ITEMS * (ITEMS + 1) / 2);
    CHECK_EQ(q->with_slot, threads * (ITEMS / 8));
    CHECK_EQ(q->count, 0);
    return 0;
}
