// Whoever waits for a semaphore or message of System V when another process removes the set or queue gets EIDRM, however short the wait was.
#include "check.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>

enum { ROUNDS = 30 };
static volatile int *waits;
static int id;

static void take_semaphore(void) {
    struct sembuf take = {.sem_op = -1};
    *waits = 1;
    CHECK_ERR(semop(id, &take, 1), EIDRM);
}

static void take_in_time(void) {
    struct sembuf take = {.sem_op = -1};
    *waits = 1;
    CHECK_ERR(semtimedop(id, &take, 1, &(struct timespec){20, 0}), EIDRM);
}

static void receive(void) {
    struct { long kind; char text[8]; } message;
    *waits = 1;
    CHECK_ERR(msgrcv(id, &message, sizeof message.text, 0, 0), EIDRM);
}

static void *idle(void *arg) {
    (void)arg;
    pause();
    return NULL;
}

static char state_of(pid_t pid) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    CHECK_OK(fd);
    ssize_t got = read(fd, text, sizeof text - 1);
    CHECK(got > 0);
    close(fd);
    text[got] = '\0';
    return strrchr(text, ')')[2];
}

static void check(void (*take)(void), int semaphores) {
    for (int i = 0; i < ROUNDS; i++) {
        *waits = 0;
        CHECK_OK(id = semaphores ? semget(IPC_PRIVATE, 1, 0600) : msgget(IPC_PRIVATE, 0600));
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            spawn(idle, NULL);
            take();
            _exit(0);
        }
        while (!*waits || state_of(pid) != 'S')
            sched_yield();
        CHECK_OK(semaphores ? semctl(id, 0, IPC_RMID) : msgctl(id, IPC_RMID, NULL));
        CHECK_EQ(wait_child(pid), 0);
    }
}

int main(void) {
    waits = mmap(NULL, sizeof *waits, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(waits != MAP_FAILED);
    check(take_semaphore, 1);
    check(take_in_time, 1);
    check(receive, 0);
    return 0;
}
