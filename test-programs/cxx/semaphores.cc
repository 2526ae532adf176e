// std::counting_semaphore and binary_semaphore: never more inside than permits, try_acquire with and without deadlines, ping-pong.
#include "check.h"
#include <atomic>
#include <chrono>
#include <semaphore>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    std::counting_semaphore<5> permits(5);
    std::atomic<int> inside{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 40; i++)
        threads.emplace_back([&] {
            for (int j = 0; j < 10; j++) {
                permits.acquire();
                CHECK(++inside <= 5);
                std::this_thread::yield();
                inside--;
                permits.release();
            }
        });
    for (auto &t : threads)
        t.join();
    for (int i = 0; i < 5; i++)
        CHECK(permits.try_acquire());
    CHECK(!permits.try_acquire());
    auto start = std::chrono::steady_clock::now();
    CHECK(!permits.try_acquire_for(5ms));
    CHECK(std::chrono::steady_clock::now() - start >= 5ms);
    CHECK(!permits.try_acquire_until(std::chrono::steady_clock::now() + 2ms));
    permits.release(3);
    CHECK(permits.try_acquire_for(1h));

    std::binary_semaphore ping(0), pong(0);
    int ball = 0;
    std::thread player([&] {
        for (int i = 0; i < 2000; i++) {
            ping.acquire();
            CHECK_EQ(ball++, 2 * i);
            pong.release();
        }
    });
    for (int i = 0; i < 2000; i++) {
        ping.release();
        pong.acquire();
        CHECK_EQ(ball++, 2 * i + 1);
    }
    player.join();
    return 0;
}
