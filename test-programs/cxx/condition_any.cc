// condition_variable and condition_variable_any: predicates, timeouts on both clocks, shared locks, stop tokens, notify_all_at_thread_exit.
#include "check.h"
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>
#include <stop_token>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    std::mutex mutex;
    std::condition_variable cond;
    std::condition_variable_any any;
    int stage = 0, arrived = 0;
    {
        std::unique_lock lock(mutex);
        auto start = std::chrono::steady_clock::now();
        CHECK(!cond.wait_for(lock, 5ms, [] { return false; }));
        CHECK(std::chrono::steady_clock::now() - start >= 5ms);
        auto system_start = std::chrono::system_clock::now();
        CHECK(!cond.wait_until(lock, system_start + 5ms, [] { return false; }));
        CHECK(std::chrono::system_clock::now() >= system_start + 5ms);
        CHECK(any.wait_until(lock, std::chrono::steady_clock::now() - 1s) == std::cv_status::timeout);
        CHECK(lock.owns_lock());
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 30; i++)
        threads.emplace_back([&] {
            std::unique_lock lock(mutex);
            arrived++;
            cond.notify_all();
            cond.wait(lock, [&] { return stage >= 1; });
            any.notify_all();
            any.wait(lock, [&] { return stage == 2; });
            arrived--;
        });
    {
        std::unique_lock lock(mutex);
        cond.wait(lock, [&] { return arrived == 30; });
        stage = 1;
        cond.notify_all();
        any.wait_for(lock, 1ms);
        stage = 2;
        any.notify_all();
    }
    for (auto &t : threads)
        t.join();
    CHECK_EQ(arrived, 0);

    std::shared_mutex shared;
    bool told = false;
    threads.clear();
    for (int i = 0; i < 10; i++)
        threads.emplace_back([&] {
            std::shared_lock lock(shared);
            any.wait(lock, [&] { return told; });
        });
    sleep_ms(2);
    {
        std::lock_guard lock(shared);
        told = true;
    }
    any.notify_all();
    for (auto &t : threads)
        t.join();

    std::jthread stoppable([&](std::stop_token token) {
        std::unique_lock lock(mutex);
        CHECK(!any.wait(lock, token, [] { return false; }));
        CHECK(token.stop_requested());
    });
    sleep_ms(2);
    CHECK(stoppable.request_stop());
    stoppable.join();

    std::unique_lock lock(mutex);
    bool left = false;
    std::thread exiting([&] {
        std::unique_lock inner(mutex);
        left = true;
        std::notify_all_at_thread_exit(cond, std::move(inner));
    });
    cond.wait(lock, [&] { return left; });
    lock.unlock();
    exiting.join();
    return 0;
}
