// std::thread: arguments, results, move, join, detach, ids, errors (invalid_argument, no_such_process), sleep_for, sleep_until, yield.
#include "check.h"
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    std::vector<std::thread> threads;
    std::vector<std::string> results(100);
    for (int i = 0; i < 100; i++)
        threads.emplace_back(
            [&results](int n, std::unique_ptr<int> moved, const std::string &text) {
                std::this_thread::sleep_for(std::chrono::microseconds(n * 10));
                std::this_thread::yield();
                results[n] = text + std::to_string(*moved);
            },
            i, std::make_unique<int>(i * 2), "value ");
    std::set<std::thread::id> ids;
    for (auto &t : threads) {
        CHECK(t.joinable());
        ids.insert(t.get_id());
    }
    ids.insert(std::this_thread::get_id());
    CHECK_EQ(ids.size(), 101);
    CHECK_ONE_KERNEL_THREAD();
    for (auto &t : threads)
        t.join();
    for (int i = 0; i < 100; i++)
        CHECK_STR(results[i].c_str(), ("value " + std::to_string(i * 2)).c_str());

    std::thread none;
    try {
        none.join();
        CHECK_FAIL("joined nothing");
    } catch (const std::system_error &e) {
        CHECK(e.code() == std::errc::invalid_argument);
    }
    std::atomic<int> detached{0};
    for (int i = 0; i < 50; i++)
        std::thread([&] { detached++; }).detach();
    EVENTUALLY(detached == 50);
    std::thread a([] {}), b = std::move(a);
    CHECK(!a.joinable() && b.joinable());
    b.join();

    auto before = std::chrono::steady_clock::now();
    std::this_thread::sleep_until(before + 5ms);
    CHECK(std::chrono::steady_clock::now() >= before + 5ms);
    auto system_before = std::chrono::system_clock::now();
    std::this_thread::sleep_until(system_before + 5ms);
    CHECK(std::chrono::system_clock::now() >= system_before + 5ms);
    CHECK(std::thread::hardware_concurrency() >= 1);
    return 0;
}
