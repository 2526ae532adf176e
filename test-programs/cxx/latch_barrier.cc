// std::latch and std::barrier: nobody passes early, the completion function runs once per phase before anybody goes on, threads may drop out.
#include "check.h"
#include <atomic>
#include <barrier>
#include <latch>
#include <thread>
#include <vector>

int main() {
    constexpr int n = 20, phases = 50;
    std::latch start(1), done(n);
    std::atomic<int> running{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < n; i++)
        threads.emplace_back([&] {
            start.wait();
            running++;
            done.count_down();
            done.wait();
            CHECK_EQ(running, n);
        });
    sleep_ms(2);
    CHECK_EQ(running, 0);
    CHECK(!done.try_wait());
    start.count_down();
    done.wait();
    CHECK(done.try_wait());
    for (auto &t : threads)
        t.join();

    int completed = 0;
    std::atomic<int> arrived{0};
    auto on_phase = [&]() noexcept {
        completed++;
        CHECK(arrived == n);
        arrived = 0;
    };
    std::barrier phase(n, on_phase);
    threads.clear();
    for (int i = 0; i < n; i++)
        threads.emplace_back([&, i] {
            for (int p = 0; p < phases; p++) {
                if ((i + p) % 25 == 0)
                    sleep_ms(1);
                CHECK_EQ(completed, p);
                arrived++;
                phase.arrive_and_wait();
                CHECK_EQ(completed, p + 1);
            }
        });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(completed, phases);

    std::barrier<> shrinking(n);
    std::atomic<int> through{0};
    threads.clear();
    for (int i = 0; i < n; i++)
        threads.emplace_back([&, i] {
            if (i % 2 == 0) {
                shrinking.arrive_and_drop();
                return;
            }
            for (int p = 0; p < 5; p++)
                shrinking.arrive_and_wait();
            through++;
        });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(through, n / 2);
    return 0;
}
