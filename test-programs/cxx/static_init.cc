// A function's static is made once while many threads arrive; one whose making throws is tried again; std::call_once the same.
#include "check.h"
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

static std::atomic<int> made{0}, tries{0}, once_tries{0};

struct Slow {
    int value;
    Slow() {
        made++;
        sleep_ms(3);
        value = 42;
    }
};

struct Fails {
    Fails() {
        sleep_ms(1);
        if (++tries < 4)
            throw tries.load();
    }
};

static int slow_value() {
    static Slow slow;
    return slow.value;
}

int main() {
    std::vector<std::thread> threads;
    std::atomic<int> failures{0}, once_failures{0};
    std::once_flag flag;
    for (int i = 0; i < 30; i++)
        threads.emplace_back([&] {
            CHECK_EQ(slow_value(), 42);
            try {
                static Fails fails;
            } catch (int) {
                failures++;
            }
            try {
                std::call_once(flag, [] {
                    sleep_ms(1);
                    if (++once_tries < 4)
                        throw 1;
                });
            } catch (int) {
                once_failures++;
            }
        });
    for (auto &t : threads)
        t.join();
    CHECK_EQ(made, 1);
    CHECK_EQ(tries, 4);
    CHECK_EQ(failures, 3);
    CHECK_EQ(once_tries, 4);
    CHECK_EQ(once_failures, 3);
    return 0;
}
