// std::mutex, timed_mutex, recursive_mutex, shared_mutex, shared_timed_mutex, scoped_lock of several: exclusion, try and timed forms.
#include "check.h"
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

template <class Mutex> static void counts() {
    Mutex mutex;
    long counter = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; i++)
        threads.emplace_back([&] {
            for (int j = 0; j < 200; j++) {
                std::lock_guard lock(mutex);
                long before = counter;
                if (j % 16 == 0)
                    std::this_thread::yield();
                counter = before + 1;
            }
        });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(counter, 3200);
    std::lock_guard lock(mutex);
    std::thread([&] { CHECK(!mutex.try_lock()); }).join();
}

template <class Mutex> static void times_out() {
    Mutex mutex;
    std::lock_guard lock(mutex);
    std::thread([&] {
        auto start = std::chrono::steady_clock::now();
        CHECK(!mutex.try_lock_for(5ms));
        CHECK(std::chrono::steady_clock::now() - start >= 5ms);
        auto system_start = std::chrono::system_clock::now();
        CHECK(!mutex.try_lock_until(system_start + 5ms));
        CHECK(std::chrono::system_clock::now() >= system_start + 5ms);
    }).join();
}

int main() {
    counts<std::mutex>();
    counts<std::timed_mutex>();
    counts<std::recursive_mutex>();
    counts<std::recursive_timed_mutex>();
    counts<std::shared_mutex>();
    counts<std::shared_timed_mutex>();
    times_out<std::timed_mutex>();
    times_out<std::recursive_timed_mutex>();
    times_out<std::shared_timed_mutex>();

    std::shared_timed_mutex shared;
    std::atomic<int> readers{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; i++)
        threads.emplace_back([&] {
            std::shared_lock lock(shared);
            readers++;
            // Only possible if all are in there together.
            EVENTUALLY(readers == 10);
            CHECK(!shared.try_lock());
            CHECK(!shared.try_lock_for(1ms));
        });
    for (auto &t : threads)
        t.join();

    // Locked in opposite orders without a deadlock.
    std::mutex a, b, c;
    long total = 0;
    threads.clear();
    for (int i = 0; i < 6; i++)
        threads.emplace_back([&, i] {
            for (int j = 0; j < 200; j++) {
                if (i % 3 == 0) {
                    std::scoped_lock all(a, b, c);
                    total++;
                } else if (i % 3 == 1) {
                    std::scoped_lock all(c, b, a);
                    total++;
                } else {
                    std::scoped_lock all(b, a, c);
                    std::this_thread::yield();
                    total++;
                }
            }
        });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(total, 1200);
    return 0;
}
