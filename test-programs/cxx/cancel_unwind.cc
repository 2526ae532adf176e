// Cancellation in a parked read, accept, condition wait, semaphore wait, sleep and join unwinds: destructors run in order, catch (...) sees it and passes it on; so does pthread_exit.
#include "check.h"
#include <condition_variable>
#include <cxxabi.h>
#include <mutex>
#include <netinet/in.h>
#include <semaphore.h>
#include <string>
#include <sys/socket.h>
#include <thread>

static std::string trace;
static int ends[2], listener, entered;
static sem_t sem, hold;
static pthread_t sleeper;
static std::mutex mutex;
static std::condition_variable cond;

struct Tracer {
    char c;
    explicit Tracer(char c) : c(c) {}
    ~Tracer() {
        // A destructor may block.
        sleep_ms(1);
        trace += c;
    }
};

static void block(int how) {
    char c;
    Tracer inner('c');
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    switch (how) {
    case 0:
        (void)!read(ends[0], &c, 1);
        break;
    case 1:
        (void)!accept(listener, nullptr, nullptr);
        break;
    case 2:
        for (;;)
            pause();
    case 3:
        sem_wait(&sem);
        break;
    case 4:
        sleep(3600);
        break;
    case 5:
        pthread_join(sleeper, nullptr);
        break;
    case 6:
        pthread_exit((void *)66);
    }
}

static void *run(void *arg) {
    Tracer outer('a');
    try {
        Tracer middle('b');
        block((int)(long)arg);
        trace += '!';
    } catch (const abi::__forced_unwind &) {
        trace += 'f';
        throw;
    } catch (...) {
        trace += '?';
        throw;
    }
    return nullptr;
}

static void *until_told(void *arg) {
    while (sem_wait(&hold) == -1)
        CHECK_EQ(errno, EINTR);
    return arg;
}

// A std::mutex that a lock guard holds is free after the cancellation.
static void *in_cond(void *arg) {
    std::unique_lock lock(mutex);
    Tracer t('m');
    __atomic_store_n(&entered, 1, __ATOMIC_SEQ_CST);
    pthread_cond_wait(cond.native_handle(), mutex.native_handle());
    return arg;
}

int main() {
    CHECK_OK(pipe(ends));
    CHECK_OK(sem_init(&sem, 0, 0));
    CHECK_OK(sem_init(&hold, 0, 0));
    listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(listener);
    CHECK_OK(listen(listener, 5));
    sleeper = spawn(until_told, nullptr);
    for (long how = 0; how < 7; how++)
        for (int round = 0; round < 5; round++) {
            trace.clear();
            entered = 0;
            pthread_t t = spawn(run, (void *)how);
            EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
            sleep_ms(1);
            if (how < 6) {
                CHECK_RC(pthread_cancel(t), 0);
                CHECK(join_thread(t) == PTHREAD_CANCELED);
            } else {
                CHECK_EQ((long)join_thread(t), 66);
            }
            CHECK_STR(trace.c_str(), "cbfa");
        }
    for (int round = 0; round < 5; round++) {
        trace.clear();
        entered = 0;
        pthread_t t = spawn(in_cond, nullptr);
        EVENTUALLY(__atomic_load_n(&entered, __ATOMIC_SEQ_CST) == 1);
        sleep_ms(1);
        CHECK_RC(pthread_cancel(t), 0);
        CHECK(join_thread(t) == PTHREAD_CANCELED);
        CHECK_STR(trace.c_str(), "m");
        CHECK(mutex.try_lock());
        mutex.unlock();
    }
    CHECK_OK(sem_post(&hold));
    join_thread(sleeper);
    return 0;
}
