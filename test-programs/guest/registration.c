// greenpatch_guest: refused with EBUSY where green threads exist and with EAGAIN where kernel threads do and nothing was redirected; replaces and ends a callback.
#include "hub.h"

static int asked[2];

static int first(int fd, int events, long long timeout, void *data) {
    (void)fd, (void)events, (void)timeout;
    asked[0] += *(int *)data;
    return GREENPATCH_GIVEUP;
}

static int second(int fd, int events, long long timeout, void *data) {
    (void)fd, (void)events, (void)timeout, (void)data;
    asked[1]++;
    return GREENPATCH_GIVEUP;
}

static int stop[2];
static void *until_stopped(void *arg) {
    char byte;
    CHECK_EQ(read(stop[0], &byte, 1), 1);
    return arg;
}

static void *guest_of_its_own(void *arg) {
    int one = 1;
    CHECK_OK(greenpatch_guest(first, &one));
    CHECK_ERR(usleep(1000000), ECANCELED);
    CHECK_OK(greenpatch_guest(NULL, NULL));
    CHECK_OK(usleep(1000));
    return arg;
}

int main(int argc, char **argv) {
    (void)argc;
    int one = 1;
    if (!greenpatch_present())
        CHECK_ERR(greenpatch_guest(first, &one), ENOSYS);
    CHECK_OK(greenpatch_present() ? greenpatch_guest(NULL, NULL) : 0);
    CHECK_OK(pipe(stop));
    if (getenv("GUEST_THREAD_FIRST") != NULL) {
        pthread_t thread = spawn(until_stopped, NULL);
        if (greenpatch_guest(first, &one) == 0)
            CHECK(getenv("GREENPATCH_GUEST") != NULL);
        else
            CHECK(errno == EBUSY || errno == EAGAIN || errno == ENOSYS || errno == ENOTSUP);
        CHECK_OK(greenpatch_present() ? greenpatch_guest(NULL, NULL) : 0);
        CHECK_EQ(write(stop[1], "x", 1), 1);
        join_thread(thread);
        return 0;
    }
    pid_t pid = fork();
    if (pid == 0) {
        setenv("GUEST_THREAD_FIRST", "1", 1);
        execv("/proc/self/exe", argv);
        _exit(99);
    }
    CHECK_EQ(wait_child(pid), 0);
    pid = fork();
    if (pid == 0) {
        setenv("GUEST_THREAD_FIRST", "1", 1);
        setenv("GREENPATCH_GUEST", "1", 1);
        execv("/proc/self/exe", argv);
        _exit(99);
    }
    CHECK_EQ(wait_child(pid), 0);
    if (greenpatch_guest(first, &one) != 0) {
        CHECK(errno == ENOSYS || errno == EBUSY || errno == ENOTSUP);
        SKIP("needs guest mode");
    }
    CHECK_ERR(usleep(1000000), ECANCELED);
    CHECK_EQ(asked[0], 1);
    CHECK_OK(greenpatch_guest(second, NULL));
    CHECK_ERR(usleep(1000000), ECANCELED);
    CHECK_EQ(asked[0], 1);
    CHECK_EQ(asked[1], 1);
    CHECK_OK(greenpatch_guest(NULL, NULL));
    CHECK_OK(usleep(1000));
    CHECK_EQ(asked[1], 1);
    join_thread(spawn(guest_of_its_own, NULL));
    CHECK_EQ(asked[0], 2);
    CHECK_EQ(greenpatch_current(), 0);
    greenpatch_yield();
    CHECK_OK(greenpatch_guest(second, NULL));
    greenpatch_yield();
    CHECK_EQ(asked[1], 2);
    printf("%d %d\n", asked[0], asked[1]);
}
