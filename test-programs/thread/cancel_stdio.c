// Cancellation in fgets, getc, getline, fread and fscanf on a pipe runs cleanup handlers and leaves the stream unlocked.
#include "cancel.h"

static int ends[2];
static FILE *in;
static char text[64];

static void in_fgets(void) { (void)!fgets(text, sizeof text, in); }
static void in_getc(void) { (void)!getc(in); }
static void in_getline(void) {
    static char *line;
    static size_t size;
    (void)!getline(&line, &size, in);
}
static void in_fread(void) { (void)!fread(text, 1, sizeof text, in); }
static void in_fscanf(void) { (void)!fscanf(in, "%63s", text); }

static void unlocked(void) {
    CHECK_EQ(ftrylockfile(in), 0);
    funlockfile(in);
    CHECK_EQ(write(ends[1], "w\n", 2), 2);
    CHECK(fgets(text, sizeof text, in) != NULL);
    CHECK_STR(text, "w\n");
}

static const struct cancel_point points[] = {
    {"fgets", in_fgets, unlocked}, {"getc", in_getc, unlocked},     {"getline", in_getline, unlocked},
    {"fread", in_fread, unlocked}, {"fscanf", in_fscanf, unlocked},
};

int main(int argc, char **argv) {
    CHECK_OK(pipe(ends));
    in = fdopen(ends[0], "r");
    CHECK(in != NULL);
    CANCEL_EACH(points);
    return 0;
}
