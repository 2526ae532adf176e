// Calls that move data into a pipe or socket that nobody reads raise SIGPIPE in the thread that calls, with EPIPE, also where the call had to wait; MSG_NOSIGNAL raises none.
#include "os/channel.h"
#include <sys/sendfile.h>

static _Thread_local volatile int raised;
static void on_pipe(int signal) {
    CHECK_EQ(signal, SIGPIPE);
    raised++;
}

static int file;

static int broken_pipe_end(void) {
    int end[2];
    open_pipe(end);
    CHECK_OK(close(end[0]));
    return end[1];
}

static int broken_socket(void) {
    int end[2];
    open_stream(end);
    CHECK_OK(close(end[0]));
    return end[1];
}

static void *move_data(void *arg) {
    int target = *(int *)arg, end[2], spare[2];
    off_t at = 0;
    open_pipe(end);
    CHECK_EQ(write(end[1], "abcd", 4), 4);
    raised = 0;
    CHECK_ERR(sendfile(target, file, &at, 100), EPIPE);
    CHECK_EQ(raised, 1);
    CHECK_ERR(splice(end[0], NULL, target, NULL, 4, 0), EPIPE);
    CHECK_EQ(raised, 2);
    open_pipe(spare);
    CHECK_ERR(splice(file, &(loff_t){0}, target, NULL, 100, 0), fcntl(target, F_GETPIPE_SZ) > 0 ? EPIPE : EINVAL);
    if (fcntl(target, F_GETPIPE_SZ) > 0) {
        CHECK_EQ(raised, 3);
        CHECK_ERR(tee(end[0], target, 4, 0), EPIPE);
        CHECK_EQ(raised, 4);
        struct iovec part = {"xyz", 3};
        CHECK_ERR(vmsplice(target, &part, 1, 0), EPIPE);
        CHECK_EQ(raised, 5);
    } else {
        struct msghdr message = {.msg_iov = &(struct iovec){"xyz", 3}, .msg_iovlen = 1};
        CHECK_ERR(sendmsg(target, &message, MSG_NOSIGNAL), EPIPE);
        CHECK_EQ(raised, 2);
        CHECK_ERR(sendmsg(target, &message, MSG_NOSIGNAL | MSG_DONTROUTE), EPIPE);
        CHECK_EQ(raised, 2);
        CHECK_ERR(sendmsg(target, &message, MSG_DONTROUTE), EPIPE);
        CHECK_EQ(raised, 3);
    }
    return NULL;
}

// A reader that goes away while the writer waits for room.
static void *wait_for_room(void *arg) {
    char data[4096];
    memset(data, 'x', sizeof data);
    raised = 0;
    off_t at = 0;
    int rc;
    while ((rc = (int)sendfile(*(int *)arg, file, (at = 0, &at), 4096)) > 0)
        continue;
    CHECK_EQ(rc, -1);
    CHECK_EQ(errno, EPIPE);
    CHECK_EQ(raised, 1);
    return NULL;
}

int main(void) {
    struct sigaction action = {.sa_handler = on_pipe};
    CHECK_OK(sigaction(SIGPIPE, &action, NULL));
    file = temp_file();
    char data[4096];
    fill(data, sizeof data, 1);
    CHECK_EQ(write(file, data, sizeof data), sizeof data);
    pthread_t t[6];
    int target[6];
    for (int i = 0; i < 6; i++) {
        target[i] = i % 2 ? broken_socket() : broken_pipe_end();
        t[i] = spawn(move_data, &target[i]);
    }
    for (int i = 0; i < 6; i++)
        join_thread(t[i]);
    CHECK_EQ(raised, 0);
    int end[2];
    open_pipe(end);
    pthread_t waiter = spawn(wait_for_room, &end[1]);
    nap();
    CHECK_OK(close(end[0]));
    join_thread(waiter);
    CHECK_EQ(raised, 0);
    return 0;
}
