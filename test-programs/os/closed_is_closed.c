// Every number that the program has not opened is closed, in every call that takes one, whatever its threads wait for; and each can be had.
#include "os/channel.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>

enum { HIGHEST = 8300, SET = HIGHEST / 8 + 8 };
static int ends[2], kept[2], pair[2], set, file;

static void *reads(void *arg) {
    int *fd = arg;
    char byte;
    CHECK_EQ(read(*fd, &byte, 1), 1);
    return NULL;
}

static void *waits(void *arg) {
    int status;
    CHECK_EQ(waitpid(*(pid_t *)arg, &status, 0), *(pid_t *)arg);
    return NULL;
}

static void *takes_signal(void *arg) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    CHECK_EQ(sigwaitinfo(&one, NULL), SIGUSR1);
    return arg;
}

static void *sleeps(void *arg) {
    struct timespec soon;
    CHECK_OK(clock_gettime(CLOCK_REALTIME, &soon));
    soon.tv_sec += 2;
    CHECK_RC(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &soon, NULL), 0);
    return arg;
}

static ssize_t send_number(int fd) {
    char byte = 'x', control[CMSG_SPACE(sizeof fd)] = "";
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(pair[0], &message, 0);
}

static void is_closed(int fd) {
    char buffer[16] = "";
    struct iovec part = {buffer, 8};
    struct stat stat;
    struct statfs system;
    struct itimerspec timer = {0};
    struct epoll_event event = {.events = EPOLLIN};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name;
    int number = 0;
    socklen_t length = sizeof number;
    CHECK_ERR(fcntl(fd, F_GETFD), EBADF);
    CHECK_ERR(fcntl(fd, F_GETFL), EBADF);
    CHECK_ERR(fcntl(fd, F_DUPFD_CLOEXEC, 0), EBADF);
    CHECK_ERR(dup(fd), EBADF);
    CHECK_ERR(dup2(fd, 0), EBADF);
    CHECK_ERR(dup2(fd, fd), EBADF);
    CHECK_ERR(close(fd), EBADF);
    CHECK_ERR(read(fd, buffer, 8), EBADF);
    CHECK_ERR(write(fd, buffer, 8), EBADF);
    CHECK_ERR(readv(fd, &part, 1), EBADF);
    CHECK_ERR(pwritev2(fd, &part, 1, -1, RWF_NOWAIT), EBADF);
    CHECK_ERR(pread(fd, buffer, 8, 0), EBADF);
    CHECK_ERR(recv(fd, buffer, 8, 0), EBADF);
    CHECK_ERR(send(fd, buffer, 8, 0), EBADF);
    CHECK_ERR(accept(fd, NULL, NULL), EBADF);
    CHECK_ERR(connect(fd, (struct sockaddr *)&name, sizeof name), EBADF);
    CHECK_ERR(listen(fd, 1), EBADF);
    CHECK_ERR(shutdown(fd, SHUT_RD), EBADF);
    CHECK_ERR(getsockname(fd, (struct sockaddr *)&name, &size), EBADF);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &length), EBADF);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &number, length), EBADF);
    CHECK_ERR(fstat(fd, &stat), EBADF);
    CHECK_ERR(fstatat(fd, "", &stat, AT_EMPTY_PATH), EBADF);
    CHECK_OK(fstatat(fd, "/", &stat, 0));
    CHECK_ERR(openat(fd, "x", O_RDONLY), EBADF);
    CHECK_ERR(fstatfs(fd, &system), EBADF);
    CHECK_ERR(lseek(fd, 0, SEEK_CUR), EBADF);
    CHECK_ERR(ftruncate(fd, 0), EBADF);
    CHECK_ERR(fchmod(fd, 0600), EBADF);
    CHECK_ERR(fchdir(fd), EBADF);
    CHECK_ERR(fsync(fd), EBADF);
    CHECK_ERR(flistxattr(fd, NULL, 0), EBADF);
    CHECK_ERR(ioctl(fd, FIONREAD, &number), EBADF);
    CHECK_ERR(ioctl(fd, FIOCLEX), EBADF);
    CHECK_ERR(isatty(fd) - 1, EBADF);
    CHECK_ERR(timerfd_gettime(fd, &timer), EBADF);
    CHECK_ERR(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), EBADF);
    CHECK_ERR(epoll_ctl(fd, EPOLL_CTL_ADD, 0, &event), EBADF);
    CHECK_ERR(epoll_wait(fd, &event, 1, 0), EBADF);
    CHECK_ERR(sendfile(pair[0], fd, NULL, 1), EBADF);
    CHECK_ERR(splice(file, NULL, fd, NULL, 1, 0), EBADF);
    CHECK_ERR(copy_file_range(file, NULL, fd, NULL, 1, 0), EBADF);
    CHECK((errno = 0, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0)) == MAP_FAILED);
    CHECK_EQ(errno, EBADF);
    CHECK_ERR(send_number(fd), EBADF);
    struct pollfd asked[2] = {{.fd = -1}, {.fd = fd, .events = POLLIN | POLLOUT}};
    CHECK_EQ(poll(asked, 2, 0), 1);
    CHECK_EQ(asked[1].revents, POLLNVAL);
    CHECK_EQ(poll(&asked[1], 1, 1000), 1);
    CHECK_EQ(asked[1].revents, POLLNVAL);
}

static void is_none_to_select(int fd) {
    struct timeval none = {0};
    unsigned char bits[SET] = {0};
    bits[fd / 8] = (unsigned char)(1 << fd % 8);
    // The kernel takes no notice of what is beyond its table.
    int result = (int)syscall(SYS_select, fd + 1, bits, NULL, NULL, &none);
    CHECK(result == 0 || (result == -1 && errno == EBADF));
}

// Takes every number that the limit allows, and gives them back.
static void all_can_be_had(int open) {
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    int count = 0, highest = 0;
    for (int fd; (fd = dup(file)) >= 0; count++)
        highest = fd > highest ? fd : highest;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(count, (int)limit.rlim_cur - open);
    CHECK_OK(close_range((unsigned)file + 1, (unsigned)highest, 0));
}

int main(void) {
    int go[2];
    CHECK_OK(pipe2(go, O_CLOEXEC));
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        char byte;
        CHECK_OK(close(go[1]));
        _exit(read(go[0], &byte, 1) != 0);
    }
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    CHECK_RC(pthread_sigmask(SIG_BLOCK, &one, NULL), 0);
    CHECK_OK(pipe(ends));
    CHECK_OK(pipe(kept));
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    CHECK_OK(set = epoll_create1(0));
    CHECK_OK(file = memfd_create("file", 0));
    struct rlimit limit = {1024, 1024};
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
    int open = open_fds();

    // Nothing is waited for: there are as many numbers as there ever are.
    join_thread(spawn(sleeps, NULL));
    struct pollfd empty = {.fd = ends[0], .events = POLLIN};
    CHECK_EQ(poll(&empty, 1, 1), 0);
    all_can_be_had(open);
    CHECK_EQ(poll(&empty, 1, 1), 0);

    pid_t blocked = 0;
    pthread_t threads[] = {spawn(reads, &ends[0]), spawn(reads, &kept[0]), spawn(waits, &child),
                           spawn(takes_signal, &blocked), spawn(sleeps, NULL)};
    sleep_ms(20);
    CHECK_OK(close(kept[0]));
    for (int fd = file + 1; fd < HIGHEST; fd++) {
        is_closed(fd);
        is_none_to_select(fd);
    }
    // Where the process may have no number beyond its limit, the runtime's are among the last.
    for (int fd = file + 1; fd < 1010; fd++) {
        CHECK_EQ(dup2(file, fd), fd);
        CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    }
    CHECK_OK(close_range((unsigned)file + 1, ~0u, 0));
    for (int fd = file + 1; fd < HIGHEST; fd++)
        CHECK_ERR(fcntl(fd, F_GETFD), EBADF);

    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(write(kept[1], "x", 1), 1);
    CHECK_OK(close(go[1]));
    CHECK_OK(kill(getpid(), SIGUSR1));
    for (int i = 0; i < 5; i++)
        join_thread(threads[i]);
    return 0;
}
