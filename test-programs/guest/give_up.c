// A wait that the callback gives up ends its call with ECANCELED, a part that was moved counts, and descriptors, locks and connections are as good as before.
#include "hub.h"
#include <sys/stat.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/file.h>

static int fds[2], pair[2], failed_at, over;
static struct task *victim;
static sem_t sem;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static char path[] = "/var/tmp/guest_give_up_XXXXXX", fifo[64];

// Gives up whatever the victim waits for, each time that it has begun to wait.
static void killer(void *arg) {
    (void)arg;
    while (!over) {
        hub_pause();
        hub_pause();
        if (victim != NULL && !victim->ready && !victim->done && failed_at >= 0) {
            int before = failed_at;
            hub_give_up(victim);
            while (!over && failed_at == before)
                hub_pause();
        }
    }
}

static void holder(void *arg) {
    (void)arg;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(flock(fd, LOCK_EX));
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    while (failed_at < 100)
        hub_pause();
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    while (!over)
        hub_pause();
    close(fd);
}

static void one_that_fails(void *arg) {
    (void)arg;
    char buffer[64];
#define GIVEN_UP(call)                \
    do {                              \
        CHECK_ERR(call, ECANCELED);   \
        failed_at++;                  \
    } while (0)
    GIVEN_UP(read(fds[0], buffer, 64));
    GIVEN_UP(recv(pair[0], buffer, 64, 0));
    GIVEN_UP(recvmsg(pair[0], &(struct msghdr){.msg_iov = &(struct iovec){buffer, 64}, .msg_iovlen = 1}, 0));
    GIVEN_UP(poll(&(struct pollfd){fds[0], POLLIN, 0}, 1, -1));
    GIVEN_UP(poll((struct pollfd[]){{fds[0], POLLIN, 0}, {pair[0], POLLIN, 0}}, 2, 100000));
    GIVEN_UP(sleep(1000) == 0 ? 0 : -1);
    GIVEN_UP(usleep(900000000));
    int set = epoll_create1(EPOLL_CLOEXEC);
    GIVEN_UP(epoll_wait(set, &(struct epoll_event){0}, 1, -1));
    close(set);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    CHECK_OK(bind(listener, (struct sockaddr *)&at, sizeof at));
    CHECK_OK(listen(listener, 4));
    GIVEN_UP(accept(listener, NULL, NULL));
    close(listener);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(fd);
    GIVEN_UP(flock(fd, LOCK_EX));
    close(fd);
    GIVEN_UP(open(fifo, O_RDONLY));
    pid_t pid = fork();
    if (pid == 0) {
        greenpatch_guest(NULL, NULL);
        for (;;)
            pause();
    }
    GIVEN_UP(waitpid(pid, NULL, 0));
    failed_at = -1;
    kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    failed_at = 20;
    // A send of which a part has gone.
    static char much[4 << 20];
    ssize_t gone = send(pair[0], much, sizeof much, 0);
    failed_at++;
    CHECK(gone > 0 && gone < (ssize_t)sizeof much);
    ssize_t arrived = 0, more;
    while ((more = recv(pair[1], much, sizeof much, MSG_DONTWAIT)) > 0)
        arrived += more;
    CHECK_EQ(arrived, gone);
    // Locks have no such error.
    CHECK_ERR(sem_wait(&sem), EINTR);
    failed_at++;
    struct timespec when = deadline_in(CLOCK_REALTIME, 60000);
    CHECK_ERR(sem_timedwait(&sem, &when), EINTR);
    failed_at = 100;
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    failed_at = -1;
    when = deadline_in(CLOCK_REALTIME, 50);
    CHECK_RC(pthread_cond_timedwait(&cond, &mutex, &when), ETIMEDOUT);
    CHECK_RC(pthread_mutex_unlock(&mutex), 0);
    // What was given up takes nothing from those who come later.
    CHECK_EQ(write(fds[1], "abc", 3), 3);
    CHECK_EQ(read(fds[0], buffer, 64), 3);
    CHECK_EQ(send(pair[1], "abcd", 4, 0), 4);
    CHECK_EQ(recv(pair[0], buffer, 64, 0), 4);
    CHECK_OK(sem_post(&sem));
    CHECK_OK(sem_wait(&sem));
    over = 1;
}

int main(void) {
    hub_init();
    if (!hub_is_guest)
        SKIP("needs guest mode");
    close(mkstemp(path));
    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    CHECK_OK(mkfifo(fifo, 0600));
    CHECK_OK(pipe(fds));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK_OK(sem_init(&sem, 0, 0));
    int before = open_fds();
    hub_spawn(holder, NULL);
    victim = hub_spawn(one_that_fails, NULL);
    hub_spawn(killer, NULL);
    hub_run();
    CHECK(open_fds() <= before + 6); // eventfds, which are used again
    unlink(path);
    unlink(fifo);
}
