// A thread made after userfaultfd serves the page faults of others, which wait in the kernel, and takes part in locks, conditions, signals and joins like any other.
#include "check.h"
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { PAGES = 20 };
static int descriptor;
static long page;
static char *area;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int served, signalled;
static __thread int mine = 5;

static void on_signal(int signal) {
    (void)signal;
    signalled++;
}

static void *serve(void *arg) {
    char *source = arg;
    CHECK_EQ(mine++, 5);
    for (int i = 0; i < PAGES; i++) {
        struct pollfd wait = {.fd = descriptor, .events = POLLIN};
        struct uffd_msg message;
        CHECK_EQ(poll(&wait, 1, 20000), 1);
        CHECK_EQ(read(descriptor, &message, sizeof message), sizeof message);
        CHECK_EQ(message.event, UFFD_EVENT_PAGEFAULT);
        memset(source, 'a' + i, (size_t)page);
        struct uffdio_copy copy = {.dst = message.arg.pagefault.address & ~(unsigned long long)(page - 1),
                                   .src = (uintptr_t)source,
                                   .len = (unsigned long long)page};
        pthread_mutex_lock(&mutex);
        served++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
        CHECK_OK(ioctl(descriptor, UFFDIO_COPY, &copy));
    }
    pthread_mutex_lock(&mutex);
    while (!signalled) {
        pthread_mutex_unlock(&mutex);
        sched_yield();
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return source;
}

static void *count_served(void *arg) {
    pthread_mutex_lock(&mutex);
    while (served < PAGES)
        pthread_cond_wait(&changed, &mutex);
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void run(void) {
    descriptor = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (descriptor == -1)
        SKIP("no userfaultfd here");
    struct uffdio_api api = {.api = UFFD_API};
    CHECK_OK(ioctl(descriptor, UFFDIO_API, &api));
    area = mmap(NULL, (size_t)(PAGES * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    struct uffdio_register wanted = {.range = {(uintptr_t)area, (unsigned long long)(PAGES * page)},
                                     .mode = UFFDIO_REGISTER_MODE_MISSING};
    CHECK_OK(ioctl(descriptor, UFFDIO_REGISTER, &wanted));
    served = signalled = 0;
    char *source = aligned_alloc((size_t)page, (size_t)page);
    pthread_t server = spawn(serve, source);
    for (int i = 0; i < PAGES; i++)
        CHECK_EQ(*(volatile char *)(area + i * page), 'a' + i);
    CHECK_EQ(served, PAGES);
    CHECK_RC(pthread_kill(server, SIGUSR1), 0);
    CHECK(join_thread(server) == source);
    CHECK_EQ(mine, 5);
    CHECK_EQ(signalled, 1);
    free(source);
    munmap(area, (size_t)(PAGES * page));
    close(descriptor);
}

int main(void) {
    page = sysconf(_SC_PAGESIZE);
    CHECK_OK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL));
    run();
    served = 0;
    // With a thread beside that waits for what the server does.
    pthread_t beside = spawn(count_served, &mutex);
    run();
    CHECK(join_thread(beside) == &mutex);
    for (int i = 0; i < 50; i++)
        run();
    return 0;
}
