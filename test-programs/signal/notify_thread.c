// Threads that libc makes for mq_notify and aio with SIGEV_THREAD run their functions while the program's threads are parked.
#include "check.h"
#include <aio.h>
#include <mqueue.h>
#include <semaphore.h>

static sem_t told;
static int values[2];

static void on_notify(union sigval value) {
    values[value.sival_int]++;
    CHECK_OK(sem_post(&told));
}

static void *parked(void *arg) {
    while (sem_wait(arg) == -1)
        CHECK_EQ(errno, EINTR);
    return NULL;
}

int main(void) {
    char name[64];
    sem_t hold;
    CHECK_OK(sem_init(&told, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    pthread_t t = spawn(parked, &hold);

    char file[64] = "/tmp/greenpatch-aio-XXXXXX";
    int fd = mkstemp(file);
    CHECK_OK(fd);
    CHECK_OK(unlink(file));
    struct aiocb request = {.aio_fildes = fd, .aio_buf = (void *)"text", .aio_nbytes = 4};
    request.aio_sigevent.sigev_notify = SIGEV_THREAD;
    request.aio_sigevent.sigev_notify_function = on_notify;
    request.aio_sigevent.sigev_value.sival_int = 0;
    CHECK_OK(aio_write(&request));
    CHECK_OK(sem_wait(&told));
    CHECK_EQ(values[0], 1);
    CHECK_EQ(aio_error(&request), 0);
    CHECK_EQ(aio_return(&request), 4);

    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    snprintf(name, sizeof name, "/greenpatch-notify-%d", getpid());
    mq_unlink(name); // left by a run that was killed
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (queue == (mqd_t)-1)
        SKIP("no message queues here; the rest passed");
    CHECK_OK(mq_unlink(name));
    struct sigevent ev = {.sigev_notify = SIGEV_THREAD, .sigev_value = {.sival_int = 1}};
    ev.sigev_notify_function = on_notify;
    for (int i = 1; i <= 5; i++) {
        char buf[64];
        CHECK_OK(mq_notify(queue, &ev));
        CHECK_OK(mq_send(queue, "m", 1, 0));
        CHECK_OK(sem_wait(&told));
        CHECK_EQ(values[1], i);
        CHECK_EQ(mq_receive(queue, buf, sizeof buf, NULL), 1);
    }
    CHECK_OK(sem_post(&hold));
    join_thread(t);
    return 0;
}
