// Forty threads talk in lines over streams of their own, both directions buffered, through fgets and fprintf.
#include "os/channel.h"

enum { PAIRS = 20, LINES = 100 };

static void *echo_lines(void *arg) {
    int *end = arg;
    FILE *in = fdopen(end[0], "r"), *out = fdopen(dup(end[0]), "w");
    char line[128];
    while (fgets(line, sizeof line, in) != NULL) {
        CHECK(fprintf(out, "%s", line) > 0);
        CHECK_EQ(fflush(out), 0);
    }
    fclose(in);
    fclose(out);
    return NULL;
}

static void *talk(void *arg) {
    int *end = arg;
    FILE *in = fdopen(end[1], "r"), *out = fdopen(dup(end[1]), "w");
    CHECK_EQ(setvbuf(out, NULL, _IOLBF, 0), 0);
    for (int i = 0; i < LINES; i++) {
        char line[128], want[128];
        snprintf(want, sizeof want, "line %d of %d, %*d\n", i, end[0], i % 50 + 1, i);
        CHECK(fputs(want, out) >= 0);
        CHECK_STR(fgets(line, sizeof line, in), want);
    }
    CHECK_OK(shutdown(end[1], SHUT_WR));
    fclose(in);
    fclose(out);
    return NULL;
}

int main(void) {
    int ends[PAIRS][2];
    pthread_t t[2 * PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        i % 2 ? open_tcp(ends[i]) : open_stream(ends[i]);
        t[2 * i] = spawn(echo_lines, ends[i]);
        t[2 * i + 1] = spawn(talk, ends[i]);
    }
    for (int i = 0; i < 2 * PAIRS; i++)
        join_thread(t[i]);
    CHECK_ONE_KERNEL_THREAD();
    return 0;
}
