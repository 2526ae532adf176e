// Tasks of another hub accept, connect, send and receive on one kernel thread, also on sockets that another process has: whole writes, timeouts, vectors and messages.
#include "hub.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/uio.h>

enum { CLIENTS = 20, BIG = 4 << 20 };
static int listener, port, served, made_before[CLIENTS];

static void server_of_one(void *arg) {
    int fd = (int)(intptr_t)arg;
    char line[64];
    for (;;) {
        ssize_t got = recv(fd, line, sizeof line, 0);
        CHECK(got >= 0);
        if (got == 0)
            break;
        CHECK_EQ(send(fd, line, (size_t)got, 0), got);
    }
    close(fd);
    __atomic_add_fetch(&served, 1, __ATOMIC_SEQ_CST);
}

static void server(void *arg) {
    (void)arg;
    for (int i = 0; i < CLIENTS; i++) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        int fd = accept(listener, (struct sockaddr *)&from, &size);
        CHECK_OK(fd);
        CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
        if (hub_is_guest)
            hub_spawn(server_of_one, (void *)(intptr_t)fd);
        else
            pthread_detach(spawn((void *(*)(void *))(void *)server_of_one, (void *)(intptr_t)fd));
    }
}

static void client(void *arg) {
    char text[32], back[32];
    int length = snprintf(text, sizeof text, "client %ld", (long)(intptr_t)arg);
    int fd = made_before[(intptr_t)arg];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    errno = 0;
    CHECK_OK(connect(fd, (struct sockaddr *)&to, sizeof to));
    CHECK_EQ(errno, 0);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    double sum = 0.5;
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(write(fd, text, (size_t)length), length);
        CHECK_EQ(read(fd, back, sizeof back), length);
        CHECK(memcmp(text, back, (size_t)length) == 0);
        sum = sum * 1.5 + i;
        hub_pause();
    }
    CHECK(sum == 20.171875);
    CHECK_EQ(errno, 0);
    // Another process may have it as well.
    CHECK_OK(shutdown(fd, SHUT_RDWR));
    close(fd);
}

static int pair[2];
static char *sent;

static void big_sender(void *arg) {
    (void)arg;
    struct iovec parts[2] = {{sent, BIG / 3}, {sent + BIG / 3, BIG - BIG / 3}};
    CHECK_EQ(writev(pair[0], parts, 2), BIG);
    CHECK_EQ(send(pair[0], sent, BIG, 0), BIG);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    CHECK_EQ(sendmsg(pair[0], &message, 0), BIG);
    shutdown(pair[0], SHUT_WR);
}

static void big_receiver(void *arg) {
    (void)arg;
    char *got = malloc(BIG);
    CHECK_EQ(recv(pair[1], got, BIG, MSG_WAITALL), BIG);
    CHECK(memcmp(got, sent, BIG) == 0);
    for (int round = 0; round < 2; round++) {
        size_t done = 0;
        while (done < BIG) {
            struct iovec parts[2] = {{got + done, (BIG - done + 1) / 2}, {got + done + (BIG - done + 1) / 2, (BIG - done) / 2}};
            ssize_t more = readv(pair[1], parts, 2);
            CHECK(more > 0);
            done += (size_t)more;
        }
        CHECK(memcmp(got, sent, BIG) == 0);
    }
    CHECK_EQ(read(pair[1], got, BIG), 0);
    free(got);
}

static void impatient(void *arg) {
    (void)arg;
    int fds[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    struct timeval time = {0, 50000};
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    CHECK_OK(setsockopt(fds[0], SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time));
    int64_t begin = now_ns(CLOCK_MONOTONIC);
    char byte[4096] = "";
    CHECK_ERR(recv(fds[0], byte, 1, 0), EAGAIN);
    // The kernel counts in ticks of its own, which come late where a processor is taken away: it may wait for less.
    int kernel_waits = !hub_is_guest && !(preloaded() && greenpatch_is_patched("socket") == 1);
    CHECK(kernel_waits || now_ns(CLOCK_MONOTONIC) - begin >= 49000000);
    ssize_t put;
    while ((put = send(fds[0], byte, sizeof byte, 0)) > 0) {
    }
    CHECK_EQ(put, -1);
    CHECK_EQ(errno, EAGAIN);
    CHECK_ERR(recv(fds[0], byte, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_ERR(recv(fds[0], (void *)8, 1, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    CHECK_ERR(recv(fds[0], (void *)8, 1, 0), EFAULT);
    close(fds[0]);
    close(fds[1]);
}

static void all_at_once(int shared) {
    served = 0;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    CHECK_OK(bind(listener, (struct sockaddr *)&at, sizeof at));
    CHECK_OK(listen(listener, 8));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&at, &size));
    port = ntohs(at.sin_port);
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    for (int i = 0; i < CLIENTS; i++)
        CHECK_OK(made_before[i] = socket(AF_INET, SOCK_STREAM, 0));
    pid_t pid = 0;
    if (shared && (pid = fork()) == 0)
        for (;;)
            raise(SIGSTOP);
    sent = malloc(BIG);
    for (int i = 0; i < BIG; i++)
        sent[i] = (char)(i * 7 + i / 1000);
    hub_waits = 0;
    hub_spawn(server, NULL);
    for (long i = 0; i < CLIENTS; i++)
        hub_spawn(client, (void *)i);
    hub_spawn(big_receiver, NULL);
    hub_spawn(big_sender, NULL);
    hub_spawn(impatient, NULL);
    hub_run();
    EVENTUALLY(served == CLIENTS);
    if (hub_is_guest) {
        CHECK_EQ(kernel_threads(), 1);
        CHECK(hub_waits > 0);
    }
    if (shared) {
        CHECK_OK(kill(pid, SIGKILL));
        wait_child(pid);
    }
    free(sent);
    close(listener);
    close(pair[0]);
    close(pair[1]);
}

int main(void) {
    hub_init();
    all_at_once(0);
    all_at_once(1);
    printf("%d waits\n", hub_waits);
}
