// mq_notify: one message into an empty queue is told once, by a signal with its value or by a thread; not while somebody waits for it; EBUSY for a second one, EBADF, EINVAL; taken back by who asked.
#include "os/channel.h"
#include <mqueue.h>
#include <semaphore.h>

static mqd_t queue;
static sem_t told;

static void *receive_one(void *arg) {
    char text[8];
    about_to_block(arg);
    CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 1);
    return NULL;
}

static void tell(union sigval value) {
    CHECK_EQ(value.sival_int, 17);
    CHECK_OK(sem_post(&told));
}

static void put(void) { CHECK_OK(mq_send(queue, "x", 1, 0)); }
static void take(void) {
    char text[8];
    CHECK_EQ(mq_receive(queue, text, sizeof text, NULL), 1);
}

int main(void) {
    char name[64];
    snprintf(name, sizeof name, "/greenpatch-test-%d", (int)getpid());
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 8};
    mq_unlink(name); // left by a run that was killed
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
    if (queue == (mqd_t)-1 && (errno == ENOSYS || errno == EACCES))
        SKIP("no POSIX message queues here");
    CHECK(queue != (mqd_t)-1);
    CHECK_OK(mq_unlink(name));
    CHECK_OK(sem_init(&told, 0, 0));
    sigset_t set;
    siginfo_t info;
    struct timespec now = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    pid_t tid = 0;
    pthread_t waiter = spawn(receive_one, &tid);
    await_blocked(&tid);

    struct sigevent signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 5};
    CHECK_OK(mq_notify(queue, &signal));
    CHECK_ERR(mq_notify(queue, &signal), EBUSY);
    // Who waits has it, and nobody is told.
    put();
    join_thread(waiter);
    CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
    put();
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK_EQ(info.si_code, SI_MESGQ);
    CHECK_EQ(info.si_value.sival_int, 5);
    CHECK_EQ(info.si_pid, getpid());
    // Once only, and not for a queue that had something.
    CHECK_OK(mq_notify(queue, &signal));
    put();
    CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
    CHECK_OK(mq_notify(queue, NULL));
    take();
    take();
    put();
    CHECK_ERR(sigtimedwait(&set, &info, &now), EAGAIN);
    take();

    struct sigevent thread = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell, .sigev_value.sival_int = 17};
    for (int i = 0; i < 3; i++) {
        CHECK_OK(mq_notify(queue, &thread));
        CHECK_ERR(mq_notify(queue, &signal), EBUSY);
        put();
        while (sem_wait(&told) != 0)
            CHECK_EQ(errno, EINTR);
        take();
    }
    struct sigevent nothing = {.sigev_notify = SIGEV_NONE};
    CHECK_OK(mq_notify(queue, &nothing));
    CHECK_ERR(mq_notify(queue, &signal), EBUSY);
    CHECK_OK(mq_notify(queue, NULL));
    struct sigevent bad = {.sigev_notify = 77};
    CHECK_ERR(mq_notify(queue, &bad), EINVAL);
    bad = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    CHECK_ERR(mq_notify(queue, &bad), EINVAL);
    CHECK_ERR(mq_notify(-1, &signal), EBADF);
    CHECK_ERR(mq_notify(0, &signal), EBADF);
    CHECK_OK(mq_close(queue));
    return 0;
}
