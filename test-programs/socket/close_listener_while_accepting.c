// Closing a listening socket's number does not end another thread's accept: the next connection is still its.
// shows closed: accept
#include "os/channel.h"

static pid_t tid;

static void *accept_one(void *arg) {
    about_to_block(&tid);
    int fd = accept(*(int *)arg, NULL, NULL);
    CHECK(fd >= 0);
    return (void *)(intptr_t)fd;
}

int main(void) {
    for (int i = 0; i < 3; i++) {
        struct sockaddr_in addr;
        int listener = tcp_listener(&addr), number = listener;
        tid = 0;
        pthread_t t = spawn(accept_one, &number);
        await_blocked(&tid);
        CHECK_OK(close(listener));
        int client = tcp_connect(&addr), server = (int)(intptr_t)join_thread(t);
        char c;
        CHECK_EQ(write(client, "x", 1), 1);
        CHECK_EQ(read(server, &c, 1), 1);
        CHECK_OK(close(client));
        CHECK_OK(close(server));
        // Now that nobody waits the port is closed.
        EVENTUALLY(({
            int again = socket(AF_INET, SOCK_STREAM, 0);
            int refused = connect(again, (struct sockaddr *)&addr, sizeof addr) == -1 && errno == ECONNREFUSED;
            close(again);
            refused;
        }));
    }
    return 0;
}
