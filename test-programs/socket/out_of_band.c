// Urgent data: MSG_OOB, SIOCATMARK, SO_OOBINLINE, and POLLPRI as another thread sends it.
#include "os/channel.h"
#include <semaphore.h>
#include <sys/wait.h>

static void send_urgent(int fd) {
    CHECK_EQ(send(fd, "ab", 2, 0), 2);
    CHECK_EQ(send(fd, "!", 1, MSG_OOB), 1);
    CHECK_EQ(send(fd, "cd", 2, 0), 2);
}

// A read that is to be filled ends at the mark, whenever the urgent byte comes.
static void meet_the_mark(int fd, int sender_fd) {
    enum { ROUNDS = 2000 };
    char data[10];
    pid_t sender = fork();
    CHECK_OK(sender);
    if (sender == 0) {
        for (int i = 0; i < ROUNDS; i++) {
            send_urgent(sender_fd);
            CHECK_EQ(recv(sender_fd, data, 1, 0), 1);
        }
        _exit(0);
    }
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_EQ(recv(fd, data, 5, MSG_WAITALL), 2);
        CHECK_EQ(recv(fd, data, 3, MSG_WAITALL), 3);
        CHECK(memcmp(data, "!cd", 3) == 0);
        CHECK_EQ(send(fd, "", 1, 0), 1);
    }
    int status;
    CHECK_EQ(waitpid(sender, &status, 0), sender);
    CHECK_EQ(status, 0);
}

static void *stay(void *until) {
    CHECK_OK(sem_wait(until));
    return NULL;
}

int main(void) {
    int end[2], at_mark;
    char data[10];
    open_tcp(end);
    CHECK_ERR(recv(end[0], data, 1, MSG_OOB), EINVAL); // never waits
    struct later later = {.fd = end[1], .act = send_urgent};
    pthread_t t = spawn(do_later, &later);
    struct pollfd p = {.fd = end[0], .events = POLLPRI};
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK(p.revents & POLLPRI);
    join_thread(t);
    CHECK_EQ(recv(end[0], data, 10, 0), 2); // up to the mark
    CHECK_OK(ioctl(end[0], SIOCATMARK, &at_mark));
    CHECK_EQ(at_mark, 1);
    CHECK_EQ(recv(end[0], data, 10, MSG_OOB), 1);
    CHECK_EQ(data[0], '!');
    CHECK_EQ(recv(end[0], data, 10, 0), 2);

    CHECK_OK(setsockopt(end[0], SOL_SOCKET, SO_OOBINLINE, &(int){1}, sizeof(int)));
    t = spawn(do_later, &later);
    CHECK_EQ(recv(end[0], data, 5, MSG_WAITALL), 2);
    CHECK_EQ(recv(end[0], data, 3, MSG_WAITALL), 3);
    CHECK(memcmp(data, "!cd", 3) == 0);
    join_thread(t);

    sem_t over;
    CHECK_OK(sem_init(&over, 0, 0));
    t = spawn(stay, &over);
    meet_the_mark(end[0], end[1]);
    CHECK_OK(sem_post(&over));
    join_thread(t);
    return 0;
}
