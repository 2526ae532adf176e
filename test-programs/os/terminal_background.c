// Job control of a terminal: a background group's reads (and writes under TOSTOP, and changes of the terminal) stop it by SIGTTIN and SIGTTOU, run handlers, or fail with EIO where the signal is ignored, blocked by the caller or the group orphaned.
#include "os/channel.h"
#include <sys/ioctl.h>
#include <sys/prctl.h>

static int terminal, master;

static void mask(int how, int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    CHECK_RC(pthread_sigmask(how, &set, NULL), 0);
}

static void *keep_going(void *arg) {
    mask(SIG_BLOCK, SIGTTIN);
    mask(SIG_BLOCK, SIGTTOU);
    for (;;)
        sleep_ms(1);
    return arg;
}

static char byte;
static void read_it(void) {
    CHECK_EQ(read(terminal, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
}
static void read_ignored(void) {
    signal(SIGTTIN, SIG_IGN);
    CHECK_ERR(read(terminal, &byte, 1), EIO);
    CHECK_ERR(readv(terminal, &(struct iovec){&byte, 1}, 1), EIO);
}
static void read_blocked(void) {
    mask(SIG_BLOCK, SIGTTIN);
    CHECK_ERR(read(terminal, &byte, 1), EIO);
    mask(SIG_UNBLOCK, SIGTTIN);
}
static void read_interrupted(void) {
    on_signal(SIGTTIN, count_signal, 0);
    CHECK_ERR(read(terminal, &byte, 1), EINTR);
    CHECK(signals_seen > 0);
}
static int handled;
static void to_foreground(int number) {
    (void)number;
    // The call that was interrupted begins again, and may still not read.
    if (__atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST) >= 3)
        CHECK_OK(tcsetpgrp(terminal, getpgrp()));
}
static void read_restarted(void) {
    on_signal(SIGTTOU, SIG_IGN, 0);
    on_signal(SIGTTIN, to_foreground, SA_RESTART);
    read_it();
    CHECK(handled >= 3);
}
static void write_it(void) { CHECK_EQ(write(terminal, "y", 1), 1); }
static void write_ignored(void) {
    on_signal(SIGTTOU, SIG_IGN, 0);
    write_it();
}
static void write_blocked(void) {
    mask(SIG_BLOCK, SIGTTOU);
    write_it();
    mask(SIG_UNBLOCK, SIGTTOU);
}
static void write_interrupted(void) {
    on_signal(SIGTTOU, count_signal, 0);
    CHECK_ERR(write(terminal, "y", 1), EINTR);
    CHECK(signals_seen > 0);
}
static void change_it(void) {
    struct termios mode;
    CHECK_OK(tcgetattr(terminal, &mode));
    CHECK_OK(tcsetattr(terminal, TCSANOW, &mode));
}
static void change_ignored(void) {
    on_signal(SIGTTOU, SIG_IGN, 0);
    change_it();
    CHECK_OK(tcsetpgrp(terminal, getpgrp()));
}
static void change_blocked(void) {
    mask(SIG_BLOCK, SIGTTOU);
    change_it();
    CHECK_OK(tcsetpgrp(terminal, getpgrp()));
    mask(SIG_UNBLOCK, SIGTTOU);
}
static void change_interrupted(void) {
    struct termios mode;
    on_signal(SIGTTOU, count_signal, 0);
    CHECK_OK(tcgetattr(terminal, &mode));
    CHECK_ERR(tcsetattr(terminal, TCSANOW, &mode), EINTR);
    CHECK_ERR(tcsetpgrp(terminal, getpgrp()), EINTR);
    CHECK(signals_seen >= 2);
}
static void orphaned(void) {
    struct termios mode;
    CHECK_ERR(read(terminal, &byte, 1), EIO);
    CHECK_ERR(write(terminal, "y", 1), EIO);
    CHECK_OK(tcgetattr(terminal, &mode));
    CHECK_ERR(tcsetattr(terminal, TCSANOW, &mode), EIO);
    CHECK_ERR(tcsetpgrp(terminal, getpgrp()), ENOTTY);
}

// The handlers are for whoever makes the call.
static void *run(void *arg) {
    mask(SIG_UNBLOCK, SIGTTIN);
    mask(SIG_UNBLOCK, SIGTTOU);
    ((void (*)(void))arg)();
    return NULL;
}

// A process in a group of its own, in the background, that does it in a thread.
static pid_t background(void (*act)(void), int in_main) {
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        CHECK_OK(setpgid(0, 0));
        on_signal(SIGTTOU, SIG_DFL, 0);
        pthread_t others = spawn(keep_going, NULL);
        sleep_ms(1);
        if (in_main) {
            act();
        } else {
            mask(SIG_BLOCK, SIGTTIN);
            mask(SIG_BLOCK, SIGTTOU);
            join_thread(spawn(run, (void *)act));
        }
        CHECK_RC(pthread_kill(others, 0), 0);
        exit(0);
    }
    return pid;
}

static void stop_on_output(int on) {
    struct termios mode;
    CHECK_OK(tcgetattr(terminal, &mode));
    mode.c_lflag = on ? mode.c_lflag | TOSTOP : mode.c_lflag & ~(tcflag_t)TOSTOP;
    CHECK_OK(tcsetattr(terminal, TCSANOW, &mode));
}

static void take_terminal(void) {
    CHECK_OK(tcsetpgrp(terminal, getpgrp()));
    CHECK_OK(tcflush(terminal, TCIFLUSH));
}

static void works(void (*act)(void)) {
    for (int in_main = 0; in_main < 2; in_main++) {
        CHECK_EQ(wait_child(background(act, in_main)), 0);
        take_terminal();
    }
}

static void stops(void (*act)(void), int signal) {
    for (int in_main = 0; in_main < 2; in_main++) {
        int status;
        pid_t pid = background(act, in_main);
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_EQ(WSTOPSIG(status), signal);
        // Still in the background: it stops once more.
        CHECK_OK(kill(-pid, SIGCONT));
        CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
        CHECK(WIFSTOPPED(status));
        CHECK_OK(tcsetpgrp(terminal, pid));
        CHECK_OK(kill(-pid, SIGCONT));
        if (signal == SIGTTIN)
            CHECK_EQ(write(master, "x", 1), 1);
        CHECK_EQ(wait_child(pid), 0);
        take_terminal();
    }
}

static void without_parent(void) {
    int over[2];
    CHECK_OK(pipe(over));
    pid_t pid = fork();
    CHECK_OK(pid);
    if (pid == 0) {
        // Its own children come to whoever is above, in another session.
        pid_t parent = getpid(), child = fork();
        CHECK_OK(child);
        if (child == 0) {
            CHECK_OK(setpgid(0, 0));
            // Not only its descriptors are gone: until then the group is no orphan yet.
            EVENTUALLY(getppid() != parent);
            on_signal(SIGTTOU, SIG_DFL, 0);
            spawn(keep_going, NULL);
            join_thread(spawn(run, (void *)orphaned));
            orphaned();
            exit(0);
        }
        exit(0);
    }
    CHECK_EQ(wait_child(pid), 0);
    // The terminal hangs up with its leader, so that one stays.
    CHECK_OK(close(over[1]));
    CHECK_EQ(read(over[0], &byte, 1), 0);
    CHECK_OK(close(over[0]));
}

// The leader of a session with this terminal.
static void lead(void) {
    char name[64];
    CHECK_OK(setsid());
    CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
    CHECK_OK(terminal = open(name, O_RDWR | O_NOCTTY));
    CHECK_OK(ioctl(terminal, TIOCSCTTY, 0));
    struct termios mode;
    CHECK_OK(tcgetattr(terminal, &mode));
    cfmakeraw(&mode);
    CHECK_OK(tcsetattr(terminal, TCSANOW, &mode));
    on_signal(SIGTTOU, SIG_IGN, 0);
    spawn(keep_going, NULL);

    stops(read_it, SIGTTIN);
    works(read_ignored);
    works(read_blocked);
    works(read_interrupted);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(write(master, "x", 1), 1);
    CHECK_EQ(wait_child(background(read_restarted, 0)), 0);
    take_terminal();
    works(write_it);
    stop_on_output(1);
    stops(write_it, SIGTTOU);
    works(write_ignored);
    works(write_blocked);
    works(write_interrupted);
    stops(change_it, SIGTTOU);
    works(change_ignored);
    works(change_blocked);
    works(change_interrupted);
    without_parent();
    exit(0);
}

int main(void) {
    CHECK_OK(master = posix_openpt(O_RDWR | O_NOCTTY));
    CHECK_OK(grantpt(master));
    CHECK_OK(unlockpt(master));
    // Orphans come here.
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid_t leader = fork();
    CHECK_OK(leader);
    if (leader == 0)
        lead();
    CHECK_EQ(wait_child(leader), 0);
    int status, orphans = 0;
    while (wait(&status) > 0) {
        CHECK_EQ(status, 0);
        orphans++;
    }
    CHECK_EQ(orphans, 1);
    return 0;
}
