// An exception thrown and caught inside of a signal handler that interrupted a parked call leaves the call and other exceptions in flight alone.
#include "check.h"
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

static std::atomic<int> caught{0};
static int ends[2];

static void on_signal(int) {
    try {
        throw std::runtime_error("inside");
    } catch (const std::exception &e) {
        if (std::string(e.what()) == "inside")
            caught++;
    }
}

int main() {
    CHECK_OK(pipe(ends));
    struct sigaction sa = {};
    sa.sa_handler = on_signal;
    sa.sa_flags = SA_RESTART;
    CHECK_OK(sigaction(SIGUSR1, &sa, nullptr));
    std::thread t([] {
        try {
            throw std::logic_error("outer");
        } catch (const std::exception &e) {
            char c = 0;
            CHECK_EQ(read(ends[0], &c, 1), 1);
            CHECK_STR(e.what(), "outer");
            CHECK_EQ(c, 'e');
        }
    });
    for (int i = 1; i <= 20; i++) {
        CHECK_RC(pthread_kill(t.native_handle(), SIGUSR1), 0);
        EVENTUALLY(caught == i);
    }
    CHECK_EQ(write(ends[1], "e", 1), 1);
    t.join();
    return 0;
}
