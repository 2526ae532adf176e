// std::atomic wait, notify_one and notify_all (int, a type without a futex of its own, atomic_flag): nobody misses a change.
#include "check.h"
#include <atomic>
#include <thread>
#include <vector>

template <class T> static void chain() {
    std::atomic<T> turn{0};
    constexpr int n = 20, rounds = 20;
    std::vector<std::thread> threads;
    for (int i = 0; i < n; i++)
        threads.emplace_back([&, i] {
            for (int r = 0; r < rounds; r++) {
                T mine = (T)(r * n + i), seen;
                while ((seen = turn.load()) != mine)
                    turn.wait(seen);
                turn = (T)(mine + 1);
                turn.notify_all();
            }
        });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(turn.load(), n * rounds);
}

int main() {
    chain<int>();
    chain<long>();
    chain<short>();
    std::atomic_flag flag = ATOMIC_FLAG_INIT;
    std::atomic<int> through{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 20; i++)
        threads.emplace_back([&] {
            flag.wait(false);
            through++;
        });
    sleep_ms(3);
    CHECK_EQ(through, 0);
    flag.test_and_set();
    flag.notify_all();
    for (auto &t : threads)
        t.join();
    CHECK_EQ(through, 20);
    return 0;
}
