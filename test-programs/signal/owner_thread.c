// A thread that owns the signals of a file gets them, and no other: SIGIO, another with information, SIGURG; the calls tell owner and signal as they were set, through duplicates too, and 0 after the thread's end.
#include "check.h"
#include <arpa/inet.h>
#include <semaphore.h>
#include <sys/socket.h>

enum { OWNERS = 2 };
static pid_t ids[OWNERS];
static sem_t begun, handled, leave;
static volatile pid_t handled_in;
static siginfo_t seen;

static void on_signal(int sig, siginfo_t *info, void *context) {
    (void)sig, (void)context;
    seen = *info;
    handled_in = gettid();
    sem_post(&handled);
}

static void wait_for(sem_t *sem) {
    while (sem_wait(sem) < 0)
        CHECK_EQ(errno, EINTR);
}

static void *own(void *arg) {
    ids[(size_t)arg] = gettid();
    sem_post(&begun);
    wait_for(&leave);
    return NULL;
}

static void expect(pid_t tid, int sig) {
    wait_for(&handled);
    CHECK_EQ(handled_in, tid);
    CHECK_EQ(seen.si_signo, sig);
}

static void set_owner(int fd, int type, pid_t id) {
    struct f_owner_ex owner = {type, id};
    CHECK_OK(fcntl(fd, F_SETOWN_EX, &owner));
}

static void expect_owner(int fd, int type, pid_t id) {
    struct f_owner_ex owner = {77, 77};
    CHECK_OK(fcntl(fd, F_GETOWN_EX, &owner));
    CHECK_EQ((int)owner.type, type);
    CHECK_EQ(owner.pid, id);
    CHECK_EQ(fcntl(fd, F_GETOWN), id);
}

static void asynchronous(int fd) {
    CHECK_OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

static void say(int fd, int from) {
    char c = 'x';
    CHECK_EQ(write(from, &c, 1), 1);
    CHECK_EQ(read(fd, &c, 1), 1);
}

static void urgent(pid_t tid) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), to = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    CHECK_OK(bind(listener, (struct sockaddr *)&address, size));
    CHECK_OK(listen(listener, 1));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&address, &size));
    CHECK_OK(connect(to, (struct sockaddr *)&address, size));
    int from = accept(listener, NULL, NULL);
    CHECK_OK(from);
    set_owner(from, F_OWNER_TID, tid);
    CHECK_EQ(send(to, "!", 1, MSG_OOB), 1);
    expect(tid, SIGURG);
    close(listener), close(to), close(from);
}

int main(void) {
    CHECK_OK(sem_init(&begun, 0, 0));
    CHECK_OK(sem_init(&handled, 0, 0));
    CHECK_OK(sem_init(&leave, 0, 0));
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    CHECK_OK(sigaction(SIGIO, &sa, NULL));
    CHECK_OK(sigaction(SIGURG, &sa, NULL));
    CHECK_OK(sigaction(SIGRTMIN + 3, &sa, NULL));
    pthread_t threads[OWNERS];
    int pairs[OWNERS][2];
    for (size_t i = 0; i < OWNERS; i++) {
        threads[i] = spawn(own, (void *)i);
        wait_for(&begun);
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]));
        set_owner(pairs[i][0], F_OWNER_TID, ids[i]);
        asynchronous(pairs[i][0]);
        expect_owner(pairs[i][0], F_OWNER_TID, ids[i]);
        CHECK_EQ(fcntl(pairs[i][0], F_GETSIG), 0);
    }
    for (size_t i = 0; i < OWNERS; i++) {
        say(pairs[i][0], pairs[i][1]);
        expect(ids[i], SIGIO);
        CHECK_EQ(seen.si_code, SI_KERNEL);
    }

    // With information, and seen through a duplicate.
    int same = dup(pairs[1][0]);
    CHECK_OK(same);
    expect_owner(same, F_OWNER_TID, ids[1]);
    CHECK_OK(fcntl(same, F_SETSIG, SIGRTMIN + 3));
    CHECK_EQ(fcntl(pairs[1][0], F_GETSIG), SIGRTMIN + 3);
    say(pairs[1][0], pairs[1][1]);
    expect(ids[1], SIGRTMIN + 3);
    CHECK_EQ(seen.si_code, POLL_IN);
    CHECK_EQ(seen.si_fd, pairs[1][0]);
    urgent(ids[1]);

    // The main thread owns as any other.
    set_owner(pairs[0][0], F_OWNER_TID, getpid());
    expect_owner(pairs[0][0], F_OWNER_TID, getpid());
    say(pairs[0][0], pairs[0][1]);
    expect(getpid(), SIGIO);

    // Where a process is to be named, a thread stands for its own, which is not told; it leads no group.
    set_owner(pairs[0][0], F_OWNER_PID, ids[0]);
    expect_owner(pairs[0][0], F_OWNER_PID, 0);
    say(pairs[0][0], pairs[0][1]);
    wait_for(&handled);
    CHECK_OK(fcntl(pairs[0][0], F_SETOWN, ids[0]));
    CHECK_EQ(fcntl(pairs[0][0], F_GETOWN), 0);
    say(pairs[0][0], pairs[0][1]);
    wait_for(&handled);
    set_owner(pairs[0][0], F_OWNER_PGRP, ids[0]);
    expect_owner(pairs[0][0], F_OWNER_PGRP, 0);
    say(pairs[0][0], pairs[0][1]);
    CHECK_ERR(fcntl(pairs[0][0], F_SETOWN_EX, &((struct f_owner_ex){F_OWNER_TID, 0x3ffffff})), ESRCH);

    set_owner(pairs[0][0], F_OWNER_TID, ids[0]);
    for (size_t i = 0; i < OWNERS; i++)
        CHECK_OK(sem_post(&leave));
    for (size_t i = 0; i < OWNERS; i++)
        join_thread(threads[i]);
    // A thread can be joined a moment before it has gone.
    EVENTUALLY(fcntl(pairs[0][0], F_GETOWN) == 0);
    expect_owner(pairs[0][0], F_OWNER_TID, 0);
    say(pairs[0][0], pairs[0][1]);
    CHECK_EQ(sem_trywait(&handled), -1);
    return 0;
}
