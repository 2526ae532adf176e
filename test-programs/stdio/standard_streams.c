// scanf on a standard input that is a pipe, printf and perror to standard streams that are pipes, from threads.
#include "os/channel.h"

static void *type(void *arg) {
    nap();
    write_whole(*(int *)arg, "12 ", 3);
    nap();
    write_whole(*(int *)arg, "34\nname\n", 8);
    return NULL;
}

static void *complain(void *arg) {
    errno = (int)(intptr_t)arg;
    perror("trouble");
    return NULL;
}

int main(void) {
    int in[2], out[2], err[2], a, b;
    char name[32], text[200];
    open_pipe(in);
    open_pipe(out);
    open_pipe(err);
    int real_err = dup(2);
    CHECK_EQ(dup2(in[0], 0), 0);
    CHECK_EQ(dup2(out[1], 1), 1);
    pthread_t t = spawn(type, &in[1]);
    CHECK_EQ(scanf("%d %d", &a, &b), 2);
    CHECK_EQ(a + b, 46);
    CHECK_EQ(getchar(), '\n');
    CHECK_STR(fgets(name, sizeof name, stdin), "name\n");
    join_thread(t);

    CHECK(printf("hello %s", name) > 0);
    CHECK_EQ(fflush(stdout), 0);
    CHECK_EQ(puts("there"), 6);
    CHECK_EQ(dprintf(1, "%d\n", 77), 3); // before what is still in the buffer
    CHECK_EQ(fflush(stdout), 0);
    read_whole(out[0], text, 20);
    CHECK(memcmp(text, "hello name\n77\nthere\n", 20) == 0);

    CHECK_EQ(dup2(err[1], 2), 2);
    pthread_t first = spawn(complain, (void *)ENOENT);
    join_thread(first);
    join_thread(spawn(complain, (void *)EAGAIN));
    CHECK_EQ(dup2(real_err, 2), 2);
    ssize_t n = read(err[0], text, sizeof text - 1);
    CHECK(n > 0);
    text[n] = '\0';
    CHECK_STR(text, "trouble: No such file or directory\ntrouble: Resource temporarily unavailable\n");
    return 0;
}
