// An exception that leaves a thread's function, and a joinable std::thread that is destroyed, call std::terminate: SIGABRT; noexcept too; a set terminate handler runs in that thread.
#include "thread/rerun.h"
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#pragma GCC diagnostic ignored "-Wterminate"

static pthread_t expected;

int main(int argc, char **argv) {
    if (argc == 2) {
        std::string how = argv[1];
        close(2);
        std::thread other([] { sleep(3600); });
        other.detach();
        if (how == "uncaught") {
            std::thread([] {
                sleep_ms(1);
                throw std::runtime_error("uncaught");
            }).join();
        } else if (how == "joinable") {
            std::thread t([] { sleep(3600); });
        } else if (how == "noexcept") {
            std::thread([]() noexcept { throw 1; }).join();
        } else {
            std::set_terminate([] {
                say(pthread_equal(expected, pthread_self()) ? "here" : "elsewhere");
                _exit(55);
            });
            std::thread([] {
                expected = pthread_self();
                throw 1;
            }).join();
        }
        return 0;
    }
    struct outcome o = rerun("uncaught");
    CHECK_KILLED(o, SIGABRT);
    o = rerun("joinable");
    CHECK_KILLED(o, SIGABRT);
    o = rerun("noexcept");
    CHECK_KILLED(o, SIGABRT);
    o = rerun("handler");
    CHECK_EXIT(o, 55);
    CHECK_STR(o.output, "here");
    return 0;
}
