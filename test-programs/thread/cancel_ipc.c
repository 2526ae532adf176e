// Cancellation in mq_receive, mq_send, msgrcv, msgsnd and aio_suspend runs cleanup handlers.
#include "cancel.h"
#include <aio.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>

static mqd_t empty_queue, full_queue;
static int empty_msg, full_msg;
static struct aiocb request;
static struct {
    long type;
    char text[8192];
} message = {.type = 1};

static void in_mq_receive(void) {
    char buf[64];
    (void)!mq_receive(empty_queue, buf, sizeof buf, NULL);
}
static void in_mq_timedreceive(void) {
    char buf[64];
    struct timespec ts = deadline_in(CLOCK_REALTIME, 3600000);
    (void)!mq_timedreceive(empty_queue, buf, sizeof buf, NULL, &ts);
}
static void in_mq_send(void) { (void)!mq_send(full_queue, "x", 1, 0); }
static void in_msgrcv(void) {
    struct {
        long type;
        char text[64];
    } m;
    (void)!msgrcv(empty_msg, &m, sizeof m.text, 0, 0);
}
static void in_msgsnd(void) { (void)!msgsnd(full_msg, &message, sizeof message.text, 0); }
static void in_aio_suspend(void) {
    const struct aiocb *list[] = {&request};
    (void)!aio_suspend(list, 1, NULL);
}

static const struct cancel_point points[] = {
    {"mq_receive", in_mq_receive, NULL}, {"mq_timedreceive", in_mq_timedreceive, NULL},
    {"mq_send", in_mq_send, NULL},       {"msgrcv", in_msgrcv, NULL},
    {"msgsnd", in_msgsnd, NULL},         {"aio_suspend", in_aio_suspend, NULL},
};

int main(int argc, char **argv) {
    char name[64];
    struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 64};
    snprintf(name, sizeof name, "/greenpatch-a-%d", getpid());
    mq_unlink(name); // left by a run that was killed
    empty_queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (empty_queue == (mqd_t)-1)
        SKIP("no message queues here");
    CHECK_OK(mq_unlink(name));
    full_queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    CHECK_OK(full_queue);
    CHECK_OK(mq_unlink(name));
    CHECK_OK(mq_send(full_queue, "x", 1, 0));
    empty_msg = msgget(IPC_PRIVATE, 0600);
    full_msg = msgget(IPC_PRIVATE, 0600);
    CHECK_OK(empty_msg);
    CHECK_OK(full_msg);
    while (msgsnd(full_msg, &message, sizeof message.text, IPC_NOWAIT) == 0) {
    }
    CHECK_EQ(errno, EAGAIN);
    int ends[2];
    char c = 0;
    CHECK_OK(pipe(ends));
    request.aio_fildes = ends[0];
    request.aio_buf = &c;
    request.aio_nbytes = 1;
    CHECK_OK(aio_read(&request));
    CANCEL_EACH(points);
    CHECK_OK(msgctl(empty_msg, IPC_RMID, NULL));
    CHECK_OK(msgctl(full_msg, IPC_RMID, NULL));
    CHECK_EQ(write(ends[1], "y", 1), 1);
    EVENTUALLY(aio_error(&request) != EINPROGRESS);
    CHECK_EQ(aio_return(&request), 1);
    CHECK_EQ(c, 'y');
    return 0;
}
