// select, pselect and ppoll tell what is left of the timeout, but not while the process's personality says STICKY_TIMEOUTS.
#include "os/channel.h"
#include <poll.h>
#include <sys/personality.h>
#include <sys/select.h>

enum { SECONDS = 100, NS = 7000 };

static void *idle(void *arg) {
    char c;
    CHECK_EQ(read(*(int *)arg, &c, 1), 0);
    return NULL;
}

static void check_left(int fd, int sticky) {
    fd_set set;
    struct timeval time = {SECONDS, NS / 1000};
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK_EQ(select(fd + 1, &set, NULL, NULL, &time), 1);
    CHECK((time.tv_sec == SECONDS && time.tv_usec == NS / 1000) == sticky);
    // libc's own functions leave the caller's structure alone.
    struct timespec left = {SECONDS, NS};
    CHECK_EQ(syscall(SYS_pselect6, fd + 1, &set, NULL, NULL, &left, NULL), 1);
    CHECK((left.tv_sec == SECONDS && left.tv_nsec == NS) == sticky);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    left = (struct timespec){SECONDS, NS};
    CHECK_EQ(syscall(SYS_ppoll, &entry, 1, &left, NULL, 8L), 1);
    CHECK((left.tv_sec == SECONDS && left.tv_nsec == NS) == sticky);
}

int main(int argc, char **argv) {
    (void)argv;
    int gate[2], full[2];
    open_pipe(gate);
    open_pipe(full);
    CHECK_EQ(write(full[1], "x", 1), 1);
    pthread_t parked = spawn(idle, &gate[0]);
    if (argc > 1) { // executed by the one below: a personality is inherited
        check_left(full[0], 1);
        return 0;
    }
    int before = personality(0xffffffff);
    CHECK_OK(before);
    check_left(full[0], 0);
    CHECK_EQ(personality((unsigned)before | STICKY_TIMEOUTS), before);
    check_left(full[0], 1);
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        execl("/proc/self/exe", "sticky_timeouts", "again", NULL);
        _exit(1);
    }
    CHECK_EQ(wait_child(pid), 0);
    CHECK_EQ(personality((unsigned)before), before | STICKY_TIMEOUTS);
    check_left(full[0], 0);
    close(gate[1]);
    join_thread(parked);
    return 0;
}
