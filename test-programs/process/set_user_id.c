// A set-user-ID program that another user runs is not affected by the shim, and reads none of its settings.
#include "os/channel.h"
#include <sys/statvfs.h>

enum { NOBODY = 65534 };

static void *nothing(void *arg) {
    char byte;
    return read(*(int *)arg, &byte, 1) == 1 ? arg : NULL;
}

// In the copy, as the file's owner.
static int inside(void) {
    CHECK_EQ(getuid(), NOBODY);
    CHECK_EQ(geteuid(), 0);
    CHECK(greenpatch_is_patched == NULL || greenpatch_is_patched("thread") == 0);
    int end[2];
    open_pipe(end);
    pthread_t thread = spawn(nothing, &end[0]);
    CHECK_EQ(count_directory("/proc/self/task"), 2);
    CHECK_EQ(write(end[1], "x", 1), 1);
    CHECK(join_thread(thread) == &end[0]);
    return 0;
}

static void copy_to(const char *path, mode_t mode) {
    static char block[65536];
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK_OK(from);
    CHECK_OK(to);
    for (ssize_t n; (n = read(from, block, sizeof block)) != 0;) {
        CHECK_OK(n);
        write_whole(to, block, (size_t)n);
    }
    CHECK_OK(fchmod(to, mode));
    CHECK_OK(close(from));
    CHECK_OK(close(to));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "inside") == 0)
        return inside();
    char folder[256], path[300];
    struct statvfs system;
    if (geteuid() != 0)
        SKIP("only root can make such a program for another user");
    // Others may not go through the folder that TMPDIR names.
    snprintf(folder, sizeof folder, "/tmp/greenpatch-set-user-id-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    CHECK_OK(chmod(folder, 0755));
    CHECK_OK(statvfs(folder, &system));
    snprintf(path, sizeof path, "%s/program", folder);
    if (system.f_flag & ST_NOSUID) {
        CHECK_OK(rmdir(folder));
        SKIP("/tmp is on a file system without set-user-ID programs");
    }
    copy_to(path, 04755);
    // A thread makes the call, so that it is a green one's where there are any.
    pid_t child = fork();
    CHECK_OK(child);
    if (child == 0) {
        CHECK_OK(setenv("GREENPATCH_ARM", "neither", 1));
        CHECK_OK(setenv("GREENPATCH_UNKNOWN", "1", 1));
        CHECK_OK(setgid(NOBODY));
        CHECK_OK(setuid(NOBODY));
        execl(path, path, "inside", (char *)NULL);
        _exit(99);
    }
    int status = wait_child(child);
    CHECK_OK(unlink(path));
    CHECK_OK(rmdir(folder));
    CHECK_EQ(status, 0);
    return 0;
}
