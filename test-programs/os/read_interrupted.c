// A signal handler ends a waiting read or write with EINTR; under SA_RESTART the call goes on and the handler has run.
#include "os/channel.h"

static pthread_t main_thread;

static void *signal_then_write(void *arg) {
    for (int i = 0; i < 3; i++) {
        nap();
        CHECK_RC(pthread_kill(main_thread, SIGUSR1), 0);
    }
    EVENTUALLY(signals_seen > 0);
    CHECK_EQ(write(*(int *)arg, "data", 4), 4);
    return NULL;
}

int main(void) {
    static char big[1 << 20];
    main_thread = pthread_self();
    for (int k = 0; k < KINDS; k++) {
        int end[2];
        char data[16];
        kinds[k].open(end);
        CHECK_INTERRUPTED(read(end[0], data, sizeof data));

        on_signal(SIGUSR1, count_signal, SA_RESTART);
        signals_seen = 0;
        pthread_t t = spawn(signal_then_write, &end[1]);
        CHECK_EQ(read(end[0], data, sizeof data), 4);
        CHECK(signals_seen > 0);
        join_thread(t);

        if (kinds[k].traits & IS_STREAM) {
            // What was written before the signal counts; a full one is interrupted without a byte.
            on_signal(SIGUSR1, count_signal, 0);
            struct interrupter i = {pthread_self(), 0};
            t = spawn(interrupt_until_done, &i);
            ssize_t n = write(end[1], big, sizeof big);
            CHECK(n < (ssize_t)sizeof big);
            if (n == -1)
                CHECK_EQ(errno, EINTR);
            int tries = 0;
            while (n != -1 && tries++ < 100)
                n = write(end[1], big, sizeof big);
            CHECK_EQ(n, -1);
            CHECK_EQ(errno, EINTR);
            __atomic_store_n(&i.done, 1, __ATOMIC_SEQ_CST);
            join_thread(t);
        }
        close_both(end);
    }
    return 0;
}
