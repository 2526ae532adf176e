// Calls of the hub itself, of a thread without a callback and of one whose callback has been taken back go to the kernel; so do waits on a
// descriptor that was passed, and whatever the callback passes.
#include "hub.h"
#include <sys/epoll.h>

static int asked, answer;
static pthread_t guest;

static int counting(int fd, int events, long long timeout, void *data) {
    (void)fd, (void)events, (void)timeout, (void)data;
    CHECK(pthread_equal(pthread_self(), guest));
    asked++;
    return answer;
}

static void *late_writer(void *arg) {
    int *fds = (int *)arg;
    sleep_ms(20);
    CHECK_EQ(write(fds[1], "abc", 3), 3);
    return NULL;
}

static void *other_thread(void *arg) {
    int *fds = (int *)arg;
    char got[4];
    pthread_t writer = spawn(late_writer, fds);
    CHECK_EQ(read(fds[0], got, 3), 3);
    join_thread(writer);
    return NULL;
}

int main(void) {
    int fds[2], set;
    char got[4];
    guest = pthread_self();
    CHECK_OK(pipe(fds));
    if (greenpatch_guest(counting, NULL) != 0)
        SKIP("needs guest mode");
    CHECK_EQ(greenpatch_is_patched("socket"), 1);
    CHECK_EQ(greenpatch_is_patched("thread"), 0);
    CHECK_EQ(greenpatch_is_patched("nonsense"), -1);
    alarm(30);
    // Passed: the kernel waits.
    answer = GREENPATCH_PASS;
    pthread_t writer = spawn(late_writer, fds);
    CHECK_EQ(read(fds[0], got, 3), 3);
    CHECK_EQ(asked, 1);
    join_thread(writer);
    asked = 0;
    struct timespec at = deadline_in(CLOCK_REALTIME, 20);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_mutex_t elsewhere = PTHREAD_MUTEX_INITIALIZER;
    CHECK_RC(pthread_mutex_lock(&elsewhere), 0);
    CHECK_RC(pthread_mutex_timedlock(&elsewhere, &at), ETIMEDOUT);
    CHECK_EQ(asked, 1);
    // On our own stack, nobody is asked.
    CHECK_RC(pthread_mutex_lock(&mutex), 0);
    at = deadline_in(CLOCK_REALTIME, 20);
    CHECK_RC(pthread_mutex_timedlock(&mutex, &at), ETIMEDOUT);
    CHECK_EQ(asked, 1);
    asked = 0;
    sleep_ms(1);
    CHECK_EQ(asked, 1);
    // A whole write goes on in the kernel after a part of it has been moved.
    static char much[200000];
    writer = spawn(other_thread, fds);
    join_thread(writer);
    CHECK_EQ(fcntl(fds[0], F_SETPIPE_SZ, 4096), 4096);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_OK(greenpatch_guest(NULL, NULL));
        size_t all = 0;
        while (all < sizeof much) {
            ssize_t more = read(fds[0], much, sizeof much);
            CHECK(more > 0);
            all += (size_t)more;
        }
        _exit(0);
    }
    CHECK_EQ(write(fds[1], much, sizeof much), sizeof much);
    CHECK_EQ(wait_child(pid), 0);
    // A descriptor of the hub's own.
    answer = GREENPATCH_GIVEUP;
    CHECK_OK(set = epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event = {EPOLLIN, {.fd = fds[0]}};
    CHECK_OK(epoll_ctl(set, EPOLL_CTL_ADD, fds[0], &event));
    CHECK_ERR(epoll_wait(set, &event, 1, 20), ECANCELED);
    CHECK_OK(greenpatch_guest_pass(set));
    asked = 0;
    CHECK_EQ(epoll_wait(set, &event, 1, 20), 0);
    struct pollfd poller = {set, POLLIN, 0};
    CHECK_EQ(poll(&poller, 1, 20), 0);
    CHECK_EQ(asked, 0);
    CHECK_ERR(poll(&(struct pollfd){fds[0], POLLIN, 0}, 1, 20), ECANCELED);
    CHECK_EQ(asked, 1);
    // Calls that don't wait ask nobody.
    CHECK_EQ(write(fds[1], "abc", 3), 3);
    CHECK_EQ(read(fds[0], got, 3), 3);
    CHECK_EQ(asked, 1);
    CHECK_OK(greenpatch_guest(NULL, NULL));
    CHECK_EQ(greenpatch_is_patched("socket"), 0);
    writer = spawn(late_writer, fds);
    CHECK_EQ(read(fds[0], got, 3), 3);
    CHECK_EQ(asked, 1);
    join_thread(writer);
    CHECK_ERR(greenpatch_guest_pass(set), EINVAL);
    CHECK_OK(greenpatch_guest(counting, NULL));
    CHECK_ERR(read(fds[0], got, 3), ECANCELED);
}
