// Two threads that hand a System V semaphore, or messages, to and fro: nothing is lost, and between green threads no kernel thread is put to sleep for it.
#include "check.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>

enum { ROUNDS = 2000 };

static int set, queue;

static void operate(unsigned short which, short by) {
    CHECK_OK(semop(set, &(struct sembuf){which, by, 0}, 1));
}

static void send(long kind, int value) {
    struct { long kind; int value; } message = {kind, value};
    CHECK_OK(msgsnd(queue, &message, sizeof message.value, 0));
}

static int receive(long kind) {
    struct { long kind; int value; } message;
    CHECK_EQ(msgrcv(queue, &message, sizeof message.value, kind, 0), (ssize_t)sizeof message.value);
    return message.value;
}

static void *answers_posts(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        operate(0, -1);
        operate(1, 1);
    }
    return arg;
}

static void *answers_messages(void *arg) {
    for (int i = 0; i < ROUNDS; i++)
        send(2, receive(1) + 1);
    return arg;
}

static long slept(void) {
    struct rusage usage;
    CHECK_OK(getrusage(RUSAGE_SELF, &usage));
    return usage.ru_nvcsw;
}

int main(void) {
    CHECK_OK(set = semget(IPC_PRIVATE, 2, 0600));
    CHECK_OK(queue = msgget(IPC_PRIVATE, 0600));
    pthread_t posts = spawn(answers_posts, NULL);
    long before = slept();
    for (int i = 0; i < ROUNDS; i++) {
        operate(0, 1);
        operate(1, -1);
    }
    join_thread(posts);
    long by_semaphores = slept() - before;
    pthread_t messages = spawn(answers_messages, NULL);
    before = slept();
    for (int i = 0; i < ROUNDS; i++) {
        send(1, i);
        CHECK_EQ(receive(2), i + 1);
    }
    join_thread(messages);
    long by_messages = slept() - before;
    CHECK_OK(semctl(set, 0, IPC_RMID));
    CHECK_OK(msgctl(queue, IPC_RMID, NULL));
    if (preloaded() && (by_semaphores > ROUNDS / 2 || by_messages > ROUNDS / 2))
        CHECK_FAIL("slept %ld and %ld times in %d rounds", by_semaphores, by_messages, ROUNDS);
    return 0;
}
