// mq_receive and mq_send wait for another thread; their timed forms give up; priorities order; mq_notify calls.
#include "os/channel.h"
#include <mqueue.h>
#include <semaphore.h>

static mqd_t queue;
static sem_t notified;

static void *send_later(void *arg) {
    nap();
    CHECK_OK(mq_send(queue, arg, strlen(arg), 3));
    return NULL;
}

static void *receive_all(void *arg) {
    (void)arg;
    char text[64];
    nap();
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 4);
        CHECK(memcmp(text, &i, 4) == 0);
    }
    return NULL;
}

static void tell(union sigval value) {
    CHECK_EQ(value.sival_int, 17);
    CHECK_OK(sem_post(&notified));
}

int main(void) {
    char name[64], text[64];
    snprintf(name, sizeof name, "/greenpatch-test-%d", (int)getpid());
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = sizeof text};
    mq_unlink(name); // left by a run that was killed
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (queue == (mqd_t)-1 && (errno == ENOSYS || errno == EACCES))
        SKIP("no POSIX message queues here");
    CHECK(queue != (mqd_t)-1);
    CHECK_OK(mq_unlink(name));

    pthread_t t = spawn(send_later, "hello");
    unsigned priority;
    CHECK_EQ(mq_receive(queue, text, sizeof text, &priority), 5);
    CHECK_EQ(priority, 3);
    CHECK(memcmp(text, "hello", 5) == 0);
    join_thread(t);

    t = spawn(receive_all, NULL);
    for (int i = 0; i < 50; i++)
        CHECK_OK(mq_send(queue, (char *)&i, 4, 0));
    join_thread(t);

    CHECK_OK(mq_send(queue, "low", 3, 1));
    CHECK_OK(mq_send(queue, "high", 4, 9));
    CHECK_EQ(mq_receive(queue, text, sizeof text, &priority), 4);
    CHECK_EQ(priority, 9);
    CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 3);

    struct timespec at = deadline_in(CLOCK_REALTIME, 3);
    CHECK_ERR(mq_timedreceive(queue, text, sizeof text, NULL, &at), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) >= (int64_t)at.tv_sec * 1000000000 + at.tv_nsec);
    for (int i = 0; i < 4; i++)
        CHECK_OK(mq_send(queue, "x", 1, 0));
    at = deadline_in(CLOCK_REALTIME, 3);
    CHECK_ERR(mq_timedsend(queue, "x", 1, 0, &at), ETIMEDOUT);
    CHECK_INTERRUPTED(mq_send(queue, "x", 1, 0));
    for (int i = 0; i < 4; i++)
        CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 1);
    at = deadline_in(CLOCK_REALTIME, 60000);
    t = spawn(send_later, "timed");
    CHECK_EQ(mq_timedreceive(queue, text, sizeof text, NULL, &at), 5);
    join_thread(t);
    CHECK_INTERRUPTED(mq_receive(queue, text, sizeof text, NULL));

    CHECK_OK(sem_init(&notified, 0, 0));
    struct sigevent event = {
        .sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell, .sigev_value.sival_int = 17};
    CHECK_OK(mq_notify(queue, &event));
    CHECK_OK(mq_send(queue, "x", 1, 0));
    while (sem_wait(&notified) == -1)
        CHECK_EQ(errno, EINTR);
    CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 1);

    struct mq_attr nonblocking = {.mq_flags = O_NONBLOCK};
    CHECK_OK(mq_setattr(queue, &nonblocking, &attr));
    CHECK_EQ(attr.mq_flags, 0);
    CHECK_ERR(mq_receive(queue, text, sizeof text, NULL), EAGAIN);
    return 0;
}
