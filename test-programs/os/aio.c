// POSIX aio: reads and writes in the background, aio_suspend and lio_listio wait, SIGEV_THREAD calls.
#include "os/channel.h"
#include <aio.h>
#include <semaphore.h>

static sem_t called;

static void done(union sigval value) {
    CHECK_STR(value.sival_ptr, "value");
    CHECK_OK(sem_post(&called));
}

static ssize_t finish(struct aiocb *cb) {
    const struct aiocb *list[1] = {cb};
    while (aio_error(cb) == EINPROGRESS)
        CHECK_OK(aio_suspend(list, 1, NULL));
    CHECK_EQ(aio_error(cb), 0);
    return aio_return(cb);
}

int main(void) {
    int fd = temp_file(), end[2];
    char a[16] = "aaaabbbb", b[16] = "", c[16] = "";

    struct aiocb write_cb = {.aio_fildes = fd, .aio_buf = a, .aio_nbytes = 8, .aio_offset = 4};
    CHECK_OK(aio_write(&write_cb));
    CHECK_EQ(finish(&write_cb), 8);
    struct aiocb sync_cb = {.aio_fildes = fd};
    CHECK_OK(aio_fsync(O_SYNC, &sync_cb));
    CHECK_EQ(finish(&sync_cb), 0);
    struct aiocb read_cb = {.aio_fildes = fd, .aio_buf = b, .aio_nbytes = 16, .aio_offset = 6};
    CHECK_OK(aio_read(&read_cb));
    CHECK_EQ(finish(&read_cb), 6);
    CHECK(memcmp(b, "aabbbb", 6) == 0);

    // A read that waits in the background for what this thread writes afterwards.
    open_pipe(end);
    struct aiocb pipe_cb = {.aio_fildes = end[0], .aio_buf = c, .aio_nbytes = 16};
    CHECK_OK(aio_read(&pipe_cb));
    const struct aiocb *list[1] = {&pipe_cb};
    CHECK_ERR(aio_suspend(list, 1, &(struct timespec){.tv_nsec = 2000000}), EAGAIN);
    CHECK_EQ(aio_error(&pipe_cb), EINPROGRESS);
    struct later later = {.fd = end[1], .data = "data", .len = 4};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(finish(&pipe_cb), 4);
    CHECK(memcmp(c, "data", 4) == 0);
    join_thread(t);

    struct aiocb cbs[4], *all[4];
    char parts[4][4];
    for (int i = 0; i < 4; i++) {
        cbs[i] = (struct aiocb){
            .aio_fildes = fd, .aio_buf = parts[i], .aio_nbytes = 2, .aio_offset = 4 + 2 * i, .aio_lio_opcode = LIO_READ};
        all[i] = &cbs[i];
    }
    CHECK_OK(lio_listio(LIO_WAIT, all, 4, NULL));
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(aio_return(&cbs[i]), 2);
        CHECK(memcmp(parts[i], a + 2 * i, 2) == 0);
    }

    CHECK_OK(sem_init(&called, 0, 0));
    struct aiocb notify_cb = {.aio_fildes = fd, .aio_buf = b, .aio_nbytes = 4};
    notify_cb.aio_sigevent.sigev_notify = SIGEV_THREAD;
    notify_cb.aio_sigevent.sigev_notify_function = done;
    notify_cb.aio_sigevent.sigev_value.sival_ptr = "value";
    CHECK_OK(aio_read(&notify_cb));
    while (sem_wait(&called) == -1)
        CHECK_EQ(errno, EINTR);
    CHECK_EQ(finish(&notify_cb), 4);

    struct aiocb bad_cb = {.aio_fildes = 12345, .aio_buf = b, .aio_nbytes = 4};
    if (aio_read(&bad_cb) == 0) {
        while (aio_error(&bad_cb) == EINPROGRESS)
            sched_yield();
        CHECK_EQ(aio_error(&bad_cb), EBADF);
    } else {
        CHECK_EQ(errno, EBADF);
    }
    return 0;
}
