// Children of a process whose threads allocate all the time find a working heap and working stdio.
#include "os/channel.h"

static int stop;

static void *allocate(void *arg) {
    (void)arg;
    for (unsigned n = 1; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); n++) {
        char *p = malloc(n % 3000 + 1);
        CHECK(p != NULL);
        p[0] = 1;
        if (n % 64 == 0)
            sched_yield();
        free(p);
        FILE *f = fopen("/dev/null", "w");
        CHECK(f != NULL);
        fprintf(f, "%u\n", n);
        fclose(f);
    }
    return NULL;
}

int main(void) {
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        t[i] = spawn(allocate, NULL);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        CHECK_OK(pid);
        if (pid == 0) {
            for (int i = 1; i < 200; i++)
                free(malloc(i * 100));
            struct later later = {.fd = open("/dev/null", O_WRONLY), .data = "x", .len = 1};
            join_thread(spawn(do_later, &later));
            FILE *f = tmpfile();
            CHECK(f != NULL);
            CHECK(fprintf(f, "%d\n", round) > 0);
            CHECK_EQ(fclose(f), 0);
            exit(0);
        }
        CHECK_EQ(wait_child(pid), 0);
    }
    stop = 1;
    for (int i = 0; i < 4; i++)
        join_thread(t[i]);
    return 0;
}
