// Many threads printf to one stream, which is a pipe that another thread empties slowly: every line is whole.
#include "os/channel.h"

enum { THREADS = 10, LINES = 200 };

static FILE *out;

static void *print(void *arg) {
    int id = (int)(intptr_t)arg;
    for (int i = 0; i < LINES; i++) {
        if (i % 2) {
            CHECK(fprintf(out, "thread %d line %d %s\n", id, i, "----------------------------------------") > 0);
        } else {
            flockfile(out); // several calls, one line
            CHECK(fprintf(out, "thread %d ", id) > 0);
            if (i % 20 == 0)
                sched_yield();
            CHECK(fputs("line ", out) >= 0);
            CHECK(fprintf(out, "%d %s", i, "----------------------------------------") > 0);
            CHECK_EQ(putc_unlocked('\n', out), '\n');
            funlockfile(out);
        }
    }
    return NULL;
}

static void *check(void *arg) {
    FILE *in = fdopen(*(int *)arg, "r");
    int next[THREADS] = {0}, id, number, length;
    char line[200];
    nap();
    for (int i = 0; i < THREADS * LINES; i++) {
        CHECK(fgets(line, sizeof line, in) != NULL);
        if (sscanf(line, "thread %d line %d ----------------------------------------%n", &id, &number, &length) != 2 ||
            line[length] != '\n')
            CHECK_FAIL("torn: %s", line);
        CHECK(id >= 0 && id < THREADS);
        CHECK_EQ(number, next[id]++);
    }
    CHECK(fgets(line, sizeof line, in) == NULL);
    fclose(in);
    return NULL;
}

int main(void) {
    const int modes[] = {_IOFBF, _IOLBF, _IONBF};
    for (int m = 0; m < 3; m++) {
        int end[2];
        open_pipe(end);
        CHECK_OK(fcntl(end[1], F_SETPIPE_SZ, 4096));
        CHECK((out = fdopen(end[1], "w")) != NULL);
        CHECK_EQ(setvbuf(out, NULL, modes[m], 1024), 0);
        pthread_t reader = spawn(check, &end[0]), t[THREADS];
        for (int i = 0; i < THREADS; i++)
            t[i] = spawn(print, (void *)(intptr_t)i);
        for (int i = 0; i < THREADS; i++)
            join_thread(t[i]);
        CHECK_EQ(fclose(out), 0);
        join_thread(reader);
    }
    return 0;
}
