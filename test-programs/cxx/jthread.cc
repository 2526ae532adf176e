// std::jthread joins by itself and stops by token; stop callbacks run once, in the thread that asks.
#include "check.h"
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

int main() {
    std::atomic<int> ended{0};
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 20; i++)
            threads.emplace_back([&](std::stop_token token) {
                while (!token.stop_requested())
                    sleep_ms(1);
                ended++;
            });
        sleep_ms(2);
        CHECK_EQ(ended, 0);
    }
    CHECK_EQ(ended, 20);

    int ends[2];
    CHECK_OK(pipe(ends));
    std::atomic<int> callbacks{0};
    std::jthread reader([&](std::stop_token token) {
        std::stop_callback wake(token, [&] {
            callbacks++;
            CHECK_EQ(write(ends[1], "s", 1), 1);
        });
        char c = 0;
        CHECK_EQ(read(ends[0], &c, 1), 1);
        CHECK_EQ(c, 's');
        CHECK(token.stop_requested());
    });
    sleep_ms(2);
    CHECK(reader.request_stop());
    CHECK(!reader.request_stop());
    reader.join();
    CHECK_EQ(callbacks, 1);
    std::stop_source source;
    std::thread::id asked_by;
    std::stop_callback late(source.get_token(), [&] { asked_by = std::this_thread::get_id(); });
    std::thread asking([&] {
        CHECK(source.request_stop());
        CHECK(asked_by == std::this_thread::get_id());
    });
    asking.join();
    return 0;
}
