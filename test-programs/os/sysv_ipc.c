// msgrcv, msgsnd, semop and semtimedop wait for what another thread does.
#include "os/channel.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

struct message {
    long type;
    char text[64];
};

static int queue, sems;

static void *send_later(void *arg) {
    struct message m = {.type = (long)(intptr_t)arg};
    snprintf(m.text, sizeof m.text, "type %ld", m.type);
    nap();
    CHECK_OK(msgsnd(queue, &m, sizeof m.text, 0));
    return NULL;
}

static void *receive_thousand(void *arg) {
    (void)arg;
    struct message m;
    nap();
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(msgrcv(queue, &m, sizeof m.text, 9, 0), sizeof m.text);
        int number;
        memcpy(&number, m.text, sizeof number);
        CHECK_EQ(number, i);
    }
    return NULL;
}

static void op(unsigned short number, short value) {
    struct sembuf one = {.sem_num = number, .sem_op = value};
    CHECK_OK(semop(sems, &one, 1));
}

static void *add_later(void *arg) {
    nap();
    op(0, 1);
    nap();
    op(1, 1);
    (void)arg;
    return NULL;
}

static void *remove_later(void *arg) {
    (void)arg;
    nap();
    CHECK_OK(semctl(sems, 0, IPC_RMID));
    CHECK_OK(msgctl(queue, IPC_RMID, NULL));
    return NULL;
}

int main(void) {
    queue = msgget(IPC_PRIVATE, 0600);
    if (queue == -1 && errno == ENOSYS)
        SKIP("no System V IPC here");
    CHECK_OK(queue);
    CHECK_OK(sems = semget(IPC_PRIVATE, 3, 0600));

    struct message m;
    for (long type = 1; type < 5; type++) {
        pthread_t t = spawn(send_later, (void *)(intptr_t)type);
        CHECK_EQ(msgrcv(queue, &m, sizeof m.text, type % 2 ? type : 0, 0), sizeof m.text);
        CHECK_EQ(m.type, type);
        join_thread(t);
    }
    CHECK_ERR(msgrcv(queue, &m, sizeof m.text, 0, IPC_NOWAIT), ENOMSG);
    pthread_t t = spawn(receive_thousand, NULL);
    for (int i = 0; i < 1000; i++) { // more than the queue holds
        m.type = 9;
        memcpy(m.text, &i, sizeof i);
        CHECK_OK(msgsnd(queue, &m, sizeof m.text, 0));
    }
    join_thread(t);
    CHECK_INTERRUPTED(msgrcv(queue, &m, sizeof m.text, 0, 0));

    t = spawn(add_later, NULL);
    struct sembuf both[2] = {{.sem_num = 0, .sem_op = -1}, {.sem_num = 1, .sem_op = -1}};
    CHECK_OK(semop(sems, both, 2));
    join_thread(t);
    CHECK_EQ(semctl(sems, 0, GETVAL), 0);
    CHECK_EQ(semctl(sems, 1, GETVAL), 0);
    both[0].sem_flg = IPC_NOWAIT;
    CHECK_ERR(semop(sems, both, 1), EAGAIN);
    both[0].sem_flg = 0;
    struct timespec limit = {.tv_nsec = 3000000};
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    CHECK_ERR(semtimedop(sems, both, 1, &limit), EAGAIN);
    CHECK(now_ns(CLOCK_MONOTONIC) - begin >= 3000000);
    CHECK_INTERRUPTED(semop(sems, both, 1));
    limit.tv_sec = 60;
    t = spawn(add_later, NULL);
    CHECK_OK(semtimedop(sems, both, 2, &limit));
    join_thread(t);
    op(2, 1);
    pid_t pid = fork(); // SEM_UNDO is the process's: its end gives back what a thread took
    CHECK_OK(pid);
    if (pid == 0) {
        struct sembuf take = {.sem_num = 2, .sem_op = -1, .sem_flg = SEM_UNDO};
        CHECK_OK(semop(sems, &take, 1));
        _exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    CHECK_EQ(semctl(sems, 2, GETVAL), 1);

    t = spawn(remove_later, NULL);
    CHECK_ERR(semop(sems, both, 1), EIDRM);
    errno = 0;
    CHECK(msgrcv(queue, &m, sizeof m.text, 0, 0) == -1 && (errno == EIDRM || errno == EINVAL));
    join_thread(t);
    return 0;
}
