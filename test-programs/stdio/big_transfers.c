// fread and fwrite of megabytes through pipes, sockets and temporary files are whole.
#include "os/channel.h"

enum { SIZE = 3 << 20 };
static char *data;

static void *write_all(void *arg) {
    FILE *f = fdopen(*(int *)arg, "w");
    CHECK_EQ(fwrite(data, 1, SIZE, f), SIZE);
    CHECK_EQ(fclose(f), 0);
    return NULL;
}

int main(void) {
    char *got = malloc(SIZE + 1);
    CHECK((data = malloc(SIZE)) != NULL && got != NULL);
    fill(data, SIZE, 8);
    void (*const opens[])(int *) = {open_pipe, open_stream, open_tcp};
    for (int i = 0; i < 3; i++) {
        int end[2];
        opens[i](end);
        pthread_t t = spawn(write_all, &end[1]);
        FILE *f = fdopen(end[0], "r");
        memset(got, 0, SIZE);
        CHECK_EQ(fread(got, 1, SIZE + 1, f), SIZE);
        CHECK(feof(f));
        check_filled(got, SIZE, 8);
        join_thread(t);
        fclose(f);
    }
    FILE *f = tmpfile();
    CHECK(f != NULL);
    CHECK_EQ(fwrite(data, 1, SIZE, f), SIZE);
    rewind(f);
    memset(got, 0, SIZE);
    CHECK_EQ(fread(got, 1, SIZE + 1, f), SIZE);
    check_filled(got, SIZE, 8);
    CHECK_EQ(fseek(f, -10, SEEK_END), 0);
    CHECK_EQ(fread(got, 1, 100, f), 10);
    CHECK_EQ(ftell(f), SIZE);
    CHECK_EQ(fclose(f), 0);
    return 0;
}
