// The first thread of a process may be one that libc makes by itself (C11 threads, aio, SIGEV_THREAD, name look-ups): it is as good as any, and signals still reach the main thread.
// LIBS: -lanl
#include "check.h"
#include <aio.h>
#include <mqueue.h>
#include <netdb.h>
#include <threads.h>

static volatile sig_atomic_t caught;
static int told;

static void on_signal(int sig) { caught = sig; }

static void tell(union sigval value) { __atomic_store_n((int *)value.sival_ptr, 1, __ATOMIC_RELEASE); }

static int kill_process(void *arg) {
    CHECK_OK(kill(getpid(), SIGUSR1));
    while (__atomic_load_n((int *)arg, __ATOMIC_ACQUIRE) == 0)
        thrd_yield();
    return 7;
}

static void by_c11(void) {
    thrd_t thread;
    int result = 0, go_on = 0;
    CHECK_EQ(thrd_create(&thread, kill_process, &go_on), thrd_success);
    EVENTUALLY(caught == SIGUSR1);
    CHECK_ONE_KERNEL_THREAD();
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    CHECK_EQ(thrd_join(thread, &result), thrd_success);
    CHECK_EQ(result, 7);
}

static void by_aio(void) {
    int ends[2];
    char byte = 0;
    CHECK_OK(pipe(ends));
    struct aiocb request = {.aio_fildes = ends[0], .aio_buf = &byte, .aio_nbytes = 1};
    request.aio_sigevent.sigev_notify = SIGEV_SIGNAL;
    request.aio_sigevent.sigev_signo = SIGUSR1;
    CHECK_OK(aio_read(&request));
    CHECK_EQ(aio_error(&request), EINPROGRESS);
    CHECK_ONE_KERNEL_THREAD();
    CHECK_EQ(write(ends[1], "x", 1), 1);
    EVENTUALLY(caught == SIGUSR1);
    CHECK_EQ(aio_error(&request), 0);
    CHECK_EQ(aio_return(&request), 1);
    CHECK_EQ(byte, 'x');
}

static void by_timer(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tell};
    event.sigev_value.sival_ptr = &told;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
    CHECK_OK(timer_settime(timer, 0, &soon, NULL));
    EVENTUALLY(__atomic_load_n(&told, __ATOMIC_ACQUIRE));
    CHECK_ONE_KERNEL_THREAD();
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(caught, SIGUSR1);
    CHECK_OK(timer_delete(timer));
}

static void by_look_up(void) {
    struct gaicb request = {.ar_name = "127.0.0.1"}, *list[] = {&request};
    CHECK_EQ(getaddrinfo_a(GAI_NOWAIT, list, 1, NULL), 0);
    EVENTUALLY(gai_error(&request) != EAI_INPROGRESS);
    CHECK_EQ(gai_error(&request), 0);
    CHECK_ONE_KERNEL_THREAD();
    freeaddrinfo(request.ar_result);
    CHECK_OK(kill(getpid(), SIGUSR1));
    EVENTUALLY(caught == SIGUSR1);
}

int main(void) {
    static void (*const ways[])(void) = {by_c11, by_aio, by_timer, by_look_up};
    struct sigaction action = {.sa_handler = on_signal};
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        // Each in a process that has had no thread yet.
        pid_t child = fork();
        CHECK_OK(child);
        if (child == 0) {
            ways[i]();
            _exit(0);
        }
        if (wait_child(child) != 0)
            CHECK_FAIL("way %zu failed", i);
    }
    return 0;
}
