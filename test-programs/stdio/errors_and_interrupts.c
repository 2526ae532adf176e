// Stream errors: a broken pipe, a signal in the middle of fgets, a non-blocking descriptor, a closed one.
#include "os/channel.h"

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int end[2];
    char line[32];
    open_pipe(end);
    CHECK_OK(close(end[0]));
    FILE *f = fdopen(end[1], "w");
    CHECK(fputs("x", f) >= 0);
    CHECK_ERR(fflush(f), EPIPE);
    CHECK(ferror(f));
    fclose(f);

    open_pipe(end);
    f = fdopen(end[0], "r");
    CHECK_INTERRUPTED(fgets(line, sizeof line, f) == NULL ? -1 : 0);
    CHECK(ferror(f));
    clearerr(f);
    struct later later = {.fd = end[1], .data = "after\n", .len = 6};
    pthread_t t = spawn(do_later, &later);
    CHECK_STR(fgets(line, sizeof line, f), "after\n");
    join_thread(t);

    CHECK_OK(fcntl(end[0], F_SETFL, O_NONBLOCK));
    CHECK_ERR(fgetc(f), EAGAIN);
    clearerr(f);
    CHECK_OK(fcntl(end[0], F_SETFL, 0));
    CHECK_OK(close(end[0]));
    CHECK_ERR(fgetc(f), EBADF);
    return 0;
}
