// A handler interrupts mq_receive and aio_suspend (restarted with SA_RESTART), msgrcv, msgsnd and semop (never restarted).
#include "eintr.h"
#include <aio.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

static mqd_t queue;
static int empty_msg, full_msg, semaphores;
static struct aiocb request;
static int aio_ends[2];
static struct {
    long type;
    char text[8192];
} message = {.type = 1};

static int in_mq_receive(void) {
    char buf[64];
    return EINTR_RESULT(mq_receive(queue, buf, sizeof buf, NULL));
}
static void feed_mq(void) { CHECK_OK(mq_send(queue, "x", 1, 0)); }
static int in_msgrcv(void) {
    struct {
        long type;
        char text[64];
    } m;
    return EINTR_RESULT(msgrcv(empty_msg, &m, sizeof m.text, 0, 0));
}
static int in_msgsnd(void) { return EINTR_RESULT(msgsnd(full_msg, &message, sizeof message.text, 0)); }
static int in_semop(void) {
    struct sembuf op = {0, -1, 0};
    return EINTR_RESULT(semop(semaphores, &op, 1));
}
static int in_semtimedop(void) {
    struct sembuf op = {0, -1, 0};
    struct timespec ts = {3600, 0};
    return EINTR_RESULT(semtimedop(semaphores, &op, 1, &ts));
}
static int in_aio_suspend(void) {
    const struct aiocb *list[] = {&request};
    return EINTR_RESULT(aio_suspend(list, 1, NULL));
}

static void finish_aio(void) { CHECK_EQ(write(aio_ends[1], "x", 1), 1); }

static const struct eintr_point points[] = {
    {"mq_receive", in_mq_receive, feed_mq, RESTARTED}, {"msgrcv", in_msgrcv, NULL, NEVER_RESTARTED},
    {"msgsnd", in_msgsnd, NULL, NEVER_RESTARTED},      {"semop", in_semop, NULL, NEVER_RESTARTED},
    {"semtimedop", in_semtimedop, NULL, NEVER_RESTARTED},
    {"aio_suspend", in_aio_suspend, finish_aio, RESTARTED},
};

int main(int argc, char **argv) {
    char name[64];
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
    snprintf(name, sizeof name, "/greenpatch-eintr-%d", getpid());
    mq_unlink(name); // left by a run that was killed
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (queue == (mqd_t)-1)
        SKIP("no message queues here");
    CHECK_OK(mq_unlink(name));
    empty_msg = msgget(IPC_PRIVATE, 0600);
    full_msg = msgget(IPC_PRIVATE, 0600);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    CHECK_OK(empty_msg);
    CHECK_OK(full_msg);
    CHECK_OK(semaphores);
    while (msgsnd(full_msg, &message, sizeof message.text, IPC_NOWAIT) == 0) {
    }
    char c = 0;
    CHECK_OK(pipe(aio_ends));
    request.aio_fildes = aio_ends[0];
    request.aio_buf = &c;
    request.aio_nbytes = 1;
    CHECK_OK(aio_read(&request));
    EINTR_EACH(points);
    CHECK_OK(msgctl(empty_msg, IPC_RMID, NULL));
    CHECK_OK(msgctl(full_msg, IPC_RMID, NULL));
    CHECK_OK(semctl(semaphores, 0, IPC_RMID));
    return 0;
}
