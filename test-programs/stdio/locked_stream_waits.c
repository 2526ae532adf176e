// A thread parked inside a read of a stream holds its lock: ftrylockfile says so, others wait, and all get their lines.
#include "os/channel.h"

static FILE *in;
static pid_t tid;

static void *read_line(void *arg) {
    char line[32];
    (void)arg;
    about_to_block(&tid);
    CHECK(fgets(line, sizeof line, in) != NULL);
    return (void *)(intptr_t)line[0];
}

int main(void) {
    int end[2];
    open_pipe(end);
    CHECK((in = fdopen(end[0], "r")) != NULL);
    pthread_t a = spawn(read_line, NULL);
    await_blocked(&tid);
    CHECK(ftrylockfile(in) != 0);
    tid = 0;
    pthread_t b = spawn(read_line, NULL);
    await_blocked(&tid);
    write_whole(end[1], "a\nb\n", 4);
    CHECK_EQ((intptr_t)join_thread(a) + (intptr_t)join_thread(b), 'a' + 'b');
    CHECK_EQ(ftrylockfile(in), 0);
    funlockfile(in);
    return 0;
}
