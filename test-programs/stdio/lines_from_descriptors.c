// fgets, getline, fscanf and fread on descriptors of every kind yield to the thread that writes what they wait for.
#include "os/channel.h"

static void *write_lines(void *arg) {
    int fd = *(int *)arg;
    const char *const pieces[] = {"first li", "ne\nsecond line\nthi", "rd\n42 word\n", "rest"};
    for (int i = 0; i < 4; i++) {
        nap();
        write_whole(fd, pieces[i], strlen(pieces[i]));
    }
    return NULL;
}

int main(void) {
    for (int k = 0; k < KINDS; k++) {
        if (!(kinds[k].traits & IS_STREAM))
            continue;
        int end[2], number;
        char line[64], word[16], *long_line = NULL;
        size_t room = 0;
        kinds[k].open(end);
        FILE *f = fdopen(end[0], "r");
        CHECK(f != NULL);
        pthread_t t = spawn(write_lines, &end[1]);
        CHECK_STR(fgets(line, sizeof line, f), "first line\n");
        CHECK_EQ(getline(&long_line, &room, f), 12);
        CHECK_STR(long_line, "second line\n");
        CHECK_EQ(getc(f), 't');
        CHECK_EQ(ungetc('T', f), 'T');
        CHECK_STR(fgets(line, sizeof line, f), "Third\n");
        CHECK_EQ(fscanf(f, "%d %15s\n", &number, word), 2); // its newline waits for what comes after
        CHECK_EQ(number, 42);
        CHECK_STR(word, "word");
        CHECK_EQ(fread(line, 1, 4, f), 4);
        CHECK(memcmp(line, "rest", 4) == 0);
        join_thread(t);
        CHECK_OK(close(end[1]));
        if (kinds[k].traits & HAS_END) {
            CHECK_EQ(fgetc(f), EOF);
            CHECK(feof(f) && !ferror(f));
        }
        CHECK_EQ(fclose(f), 0);
        free(long_line);
    }
    return 0;
}
