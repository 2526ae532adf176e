// io_getevents waits for an event that another thread causes; its timeout; its minimum. io_pgetevents under a mask.
#include "os/channel.h"
#include <linux/aio_abi.h>

static pthread_t main_thread;

static void signal_and_write(int fd) {
    CHECK_RC(pthread_kill(main_thread, SIGUSR1), 0);
    nap();
    write_whole(fd, "x", 1);
}

int main(void) {
    aio_context_t context = 0;
    if (syscall(SYS_io_setup, 8, &context) == -1 && errno == ENOSYS)
        SKIP("no kernel aio here");
    CHECK(context != 0);
    int end[2][2];
    struct iocb cb[2], *list[2];
    for (int i = 0; i < 2; i++) {
        open_pipe(end[i]);
        cb[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = end[i][0], .aio_buf = POLLIN, .aio_data = i + 1};
        list[i] = &cb[i];
    }
    CHECK_EQ(syscall(SYS_io_submit, context, 2, list), 2);

    struct io_event event[2];
    struct timespec limit = {.tv_nsec = 2000000};
    CHECK_EQ(syscall(SYS_io_getevents, context, 1, 2, event, &limit), 0);
    struct later later = {.fd = end[1][1], .data = "x", .len = 1};
    pthread_t t = spawn(do_later, &later);
    CHECK_EQ(syscall(SYS_io_getevents, context, 1, 2, event, NULL), 1);
    CHECK_EQ(event[0].data, 2);
    join_thread(t);
    later.fd = end[0][1];
    t = spawn(do_later, &later);
    limit.tv_sec = 60;
    CHECK_EQ(syscall(SYS_io_getevents, context, 1, 2, event, &limit), 1);
    CHECK_EQ(event[0].data, 1);
    CHECK(event[0].res & POLLIN);
    join_thread(t);
    CHECK_EQ(syscall(SYS_io_getevents, context, 0, 2, event, NULL), 0);
    CHECK_INTERRUPTED(syscall(SYS_io_getevents, context, 1, 2, event, NULL));

    // Under a mask that holds the signal back the wait goes on, and the handler runs behind it.
    char drained[2];
    CHECK_EQ(read(end[0][0], drained, 1), 1);
    CHECK_EQ(syscall(SYS_io_submit, context, 1, list), 1);
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGUSR1);
    struct {
        const sigset_t *set;
        size_t size;
    } mask = {&held, 8};
    on_signal(SIGUSR1, count_signal, 0);
    signals_seen = 0;
    main_thread = pthread_self();
    struct later signals = {.fd = end[0][1], .act = signal_and_write};
    t = spawn(do_later, &signals);
    CHECK_EQ(syscall(333 /* io_pgetevents */, context, 1, 2, event, &limit, &mask), 1);
    CHECK_EQ(signals_seen, 1);
    join_thread(t);
    CHECK_OK(syscall(SYS_io_destroy, context));
    return 0;
}
