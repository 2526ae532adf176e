// thread_local objects are made at first use in each thread and destroyed at its end (return, pthread_exit, cancellation), last made first, before the join returns; destructors may block.
#include "check.h"
#include <atomic>
#include <string>
#include <thread>
#include <vector>

static std::atomic<int> made{0}, gone{0};
static std::atomic<int> order_errors{0};

struct Noisy {
    std::string text;
    int number = -1;
    explicit Noisy(const char *t) : text(t) { made++; }
    ~Noisy() {
        sleep_ms(1);
        if (text != "first" && text != "second" && text != "own")
            order_errors++;
        gone++;
    }
};

static thread_local int destroyed_here = 0;
struct First : Noisy {
    First() : Noisy("first") {}
    ~First() {
        if (destroyed_here++ != 1)
            order_errors++;
    }
};
struct Second : Noisy {
    Second() : Noisy("second") {}
    ~Second() {
        if (destroyed_here++ != 0)
            order_errors++;
    }
};

static thread_local First first;
static thread_local Second second;
static thread_local std::vector<int> numbers;

static void use(int me) {
    first.number = me;
    second.number = me;
    static thread_local int calls = 0;
    for (int i = 0; i < 10; i++) {
        numbers.push_back(me * i);
        calls++;
        std::this_thread::yield();
        CHECK_EQ(first.number, me);
        CHECK_EQ(second.number, me);
        CHECK_EQ(numbers.size(), i + 1);
        CHECK_EQ(numbers.back(), me * i);
        CHECK_EQ(calls, i + 1);
    }
}

static void *leave(void *arg) {
    use((int)(long)arg);
    if ((long)arg % 3 == 0)
        pthread_exit(nullptr);
    if ((long)arg % 3 == 1)
        for (;;)
            pause();
    return nullptr;
}

int main() {
    std::vector<pthread_t> threads;
    for (long i = 0; i < 30; i++)
        threads.push_back(spawn(leave, (void *)i));
    for (long i = 0; i < 30; i++) {
        if (i % 3 == 1)
            CHECK_RC(pthread_cancel(threads[i]), 0);
        join_thread(threads[i]);
    }
    CHECK_EQ(made, 60);
    CHECK_EQ(gone, 60);
    CHECK_EQ(order_errors, 0);
    // An object of a thread that never touches it is never made.
    std::thread([] {}).join();
    CHECK_EQ(made, 60);
    return 0;
}
