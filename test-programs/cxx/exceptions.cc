// Exceptions in many threads at once: thrown through deep frames, caught, rethrown, nested, kept alive in a catch block that blocks, carried to another thread; each thread has its own state.
#include "check.h"
#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::mutex mutex;
static std::atomic<int> destroyed{0};

struct Guard {
    ~Guard() { destroyed++; }
};

__attribute__((noinline)) static void dive(int depth, int me) {
    Guard g;
    if (depth == 0)
        throw std::runtime_error("from " + std::to_string(me));
    if (depth % 7 == 0)
        std::this_thread::yield();
    dive(depth - 1, me);
}

static void work(int me, std::exception_ptr &out) {
    std::string expected = "from " + std::to_string(me);
    for (int i = 0; i < 20; i++) {
        try {
            dive(20, me);
            CHECK_FAIL("nothing thrown");
        } catch (const std::exception &e) {
            // Others throw and catch meanwhile.
            if (i % 5 == 0)
                sleep_ms(1);
            std::lock_guard lock(mutex);
            std::this_thread::yield();
            CHECK_STR(e.what(), expected.c_str());
            CHECK_EQ(std::uncaught_exceptions(), 0);
            try {
                dive(3, me + 1000);
            } catch (...) {
                std::this_thread::yield();
                try {
                    throw;
                } catch (const std::runtime_error &inner) {
                    CHECK_STR(inner.what(), ("from " + std::to_string(me + 1000)).c_str());
                }
            }
            CHECK_STR(e.what(), expected.c_str());
            out = std::current_exception();
        }
    }
}

struct YieldsWhileUnwinding {
    ~YieldsWhileUnwinding() {
        CHECK_EQ(std::uncaught_exceptions(), 1);
        sleep_ms(1);
        std::this_thread::yield();
        CHECK_EQ(std::uncaught_exceptions(), 1);
    }
};

int main() {
    constexpr int n = 20;
    std::vector<std::exception_ptr> carried(n);
    std::vector<std::thread> threads;
    for (int i = 0; i < n; i++)
        threads.emplace_back([&carried, i] { work(i, carried[i]); });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(destroyed, n * 20 * (21 + 4));
    for (int i = 0; i < n; i++)
        try {
            std::rethrow_exception(carried[i]);
        } catch (const std::runtime_error &e) {
            CHECK_STR(e.what(), ("from " + std::to_string(i)).c_str());
        }
    threads.clear();
    for (int i = 0; i < n; i++)
        threads.emplace_back([] {
            for (int j = 0; j < 5; j++)
                try {
                    YieldsWhileUnwinding y;
                    throw j;
                } catch (int got) {
                    CHECK_EQ(got, j);
                    CHECK_EQ(std::uncaught_exceptions(), 0);
                }
        });
    for (auto &t : threads)
        t.join();
    return 0;
}
