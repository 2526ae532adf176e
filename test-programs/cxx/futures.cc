// std::async, promise, packaged_task and futures: values, exceptions, timeouts, broken promises, many waiters of one shared_future.
#include "check.h"
#include <chrono>
#include <future>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static long sum(const std::vector<int> &v, size_t from, size_t to) {
    if (to - from <= 64)
        return std::accumulate(v.begin() + (long)from, v.begin() + (long)to, 0L);
    size_t middle = (from + to) / 2;
    auto left = std::async(std::launch::async, sum, std::cref(v), from, middle);
    long right = sum(v, middle, to);
    return left.get() + right;
}

int main() {
    std::vector<int> v(4096);
    std::iota(v.begin(), v.end(), 1);
    CHECK_EQ(sum(v, 0, v.size()), 4096L * 4097 / 2);

    auto failing = std::async(std::launch::async, []() -> int {
        std::this_thread::sleep_for(2ms);
        throw std::out_of_range("as told");
    });
    try {
        failing.get();
        CHECK_FAIL("no exception");
    } catch (const std::out_of_range &e) {
        CHECK_STR(e.what(), "as told");
    }

    std::promise<std::string> promise;
    auto shared = promise.get_future().share();
    CHECK(shared.wait_for(0ms) == std::future_status::timeout);
    CHECK(shared.wait_for(3ms) == std::future_status::timeout);
    CHECK(shared.wait_until(std::chrono::steady_clock::now() + 3ms) == std::future_status::timeout);
    std::vector<std::future<size_t>> waiters;
    for (int i = 0; i < 50; i++)
        waiters.push_back(std::async(std::launch::async, [shared] { return shared.get().size(); }));
    promise.set_value("eleven char");
    for (auto &w : waiters)
        CHECK_EQ(w.get(), 11);
    CHECK(shared.wait_for(1h) == std::future_status::ready);

    std::future<int> broken;
    {
        std::promise<int> p;
        broken = p.get_future();
        std::thread([q = std::move(p)]() mutable { std::this_thread::sleep_for(1ms); }).join();
    }
    try {
        broken.get();
        CHECK_FAIL("no exception");
    } catch (const std::future_error &e) {
        CHECK(e.code() == std::future_errc::broken_promise);
    }

    std::packaged_task<int(int)> task([](int n) { return n * n; });
    auto squared = task.get_future();
    std::thread t(std::move(task), 12);
    CHECK_EQ(squared.get(), 144);
    t.join();

    std::promise<int> at_exit;
    auto result = at_exit.get_future();
    std::thread late([&] {
        at_exit.set_value_at_thread_exit(5);
        CHECK(result.wait_for(1ms) == std::future_status::timeout);
    });
    late.join();
    CHECK_EQ(result.get(), 5);

    auto deferred = std::async(std::launch::deferred, [] { return std::this_thread::get_id(); });
    CHECK(deferred.wait_for(0ms) == std::future_status::deferred);
    CHECK(deferred.get() == std::this_thread::get_id());
    return 0;
}
