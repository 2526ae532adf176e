// A bad setting ends a program before main with status 78 and one line that names it and says what is valid; help is printed instead of running it; switched off, the program runs.
#include "thread/rerun.h"

static const struct {
    const char *name, *value, *says;
} bad[] = {
    {"GREENPATCH", "perhaps", "on, off"},
    {"GREENPATCH_MODULES", "all,-sockets", "os, socket, select, time, thread, signal, process, dns"},
    {"GREENPATCH_MODULES", "-ssl", "socket,select"},
    {"GREENPATCH_ARM", "never", "lazy, start"},
    {"GREENPATCH_ON_DEADLOCK", "", "report, abort, ignore"},
    {"GREENPATCH_SLICE", "soon", "number of milliseconds"},
    {"GREENPATCH_SLICE", "-1", "number of milliseconds"},
    {"GREENPATCH_FALLBACK", "away", "exit, native"},
    {"GREENPATCH_NO", "rwf_nowait,x", "rwf_nowait, madv_guard, futex_waitv, epoll_pwait2, fsgsbase"},
    {"GREENPATCH_IO_THREADS", "0", "1 to 256"},
    {"GREENPATCH_MODULE", "all", "GREENPATCH_HELP=1"},
};

// Runs this program again with one more setting; `errors` is what comes on standard error.
static struct outcome with(const char *name, const char *value, char *errors, size_t room) {
    const char *old = getenv(name);
    char *kept = old ? strdup(old) : NULL;
    int ends[2], err = dup(2);
    CHECK_OK(err);
    CHECK_OK(pipe2(ends, O_CLOEXEC));
    CHECK_OK(dup2(ends[1], 2));
    CHECK_OK(setenv(name, value, 1));
    struct outcome o = rerun("main");
    CHECK_OK(kept ? setenv(name, kept, 1) : unsetenv(name));
    free(kept);
    CHECK_OK(dup2(err, 2));
    CHECK_OK(close(err));
    CHECK_OK(close(ends[1]));
    size_t n = 0;
    ssize_t got;
    while ((got = read(ends[0], errors + n, room - 1 - n)) > 0)
        n += (size_t)got;
    errors[n] = '\0';
    CHECK_OK(close(ends[0]));
    return o;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1) {
        say(preloaded() ? "green threads\n" : "as it is\n");
        return 5;
    }
    int loaded = greenpatch_is_patched != NULL;
    static char errors[16384];
    struct outcome o;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o = with(bad[i].name, bad[i].value, errors, sizeof errors);
        if (!loaded) {
            CHECK_EXIT(o, 5);
            CHECK_STR(errors, "");
            continue;
        }
        CHECK_EXIT(o, 78);
        CHECK_STR(o.output, "");
        char begin[100];
        snprintf(begin, sizeof begin, "greenpatch: %s", bad[i].name);
        if (strncmp(errors, begin, strlen(begin)) != 0 || strstr(errors, bad[i].says) == NULL ||
            strchr(errors, '\n') != errors + strlen(errors) - 1)
            CHECK_FAIL("%s=%s: %s", bad[i].name, bad[i].value, errors);
    }

    o = with("GREENPATCH_HELP", "1", errors, sizeof errors);
    CHECK_EXIT(o, loaded ? 0 : 5);
    if (loaded)
        CHECK(strstr(errors, "GREENPATCH_MODULES ") != NULL || strstr(o.output, "GREENPATCH_MODULES ") != NULL);

    // Switched off, nothing else is looked at.
    char *arm = getenv("GREENPATCH_ARM");
    arm = arm ? strdup(arm) : NULL;
    CHECK_OK(setenv("GREENPATCH_ARM", "never", 1));
    o = with("GREENPATCH", "off", errors, sizeof errors);
    CHECK_EXIT(o, 5);
    CHECK_STR(o.output, "as it is\n");
    CHECK_STR(errors, "");
    CHECK_OK(arm ? setenv("GREENPATCH_ARM", arm, 1) : unsetenv("GREENPATCH_ARM"));
    free(arm);

    o = with("GREENPATCH_SLICE", "2.5", errors, sizeof errors);
    CHECK_EXIT(o, 5);
    CHECK_STR(o.output, preloaded() ? "green threads\n" : "as it is\n");
    CHECK_STR(errors, "");
    return 0;
}
