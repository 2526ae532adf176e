// Forks while a kernel thread of the program's own making runs and closes descriptors: children have one thread, and threads of their own; the other goes on.
#include "os/channel.h"

static volatile long counter;
static volatile int stop;
static int ended = 1;

// Nothing of libc in here: there is no thread pointer.
static long raw(long nr, long a, long b) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b) : "rcx", "r11", "memory");
    return result;
}

__attribute__((noinline, optimize("no-stack-protector"))) static int foreign(void *arg) {
    (void)arg;
    while (!stop) {
        long fd = raw(SYS_dup, 0, 0);
        raw(SYS_close, fd, 0);
        counter++;
    }
    raw(SYS_exit, 0, 0);
    return 0;
}

static void *echo(void *arg) {
    int *end = arg;
    char byte;
    while (read(end[0], &byte, 1) == 1 && byte != 'q')
        CHECK_EQ(write(end[1], &byte, 1), 1);
    return NULL;
}

static void talk(int rounds) {
    int to[2], from[2];
    open_pipe(to), open_pipe(from);
    int ends[2] = {to[0], from[1]};
    pthread_t thread = spawn(echo, ends);
    for (int i = 0; i < rounds; i++) {
        char byte = (char)('a' + i % 10);
        CHECK_EQ(write(to[1], &byte, 1), 1);
        CHECK_EQ(read(from[0], &byte, 1), 1);
        CHECK_EQ(byte, 'a' + i % 10);
    }
    CHECK_EQ(write(to[1], "q", 1), 1);
    join_thread(thread);
    close_both(to), close_both(from);
}

int main(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
    talk(3);
    CHECK_OK(clone(foreign, stack + sizeof stack, flags, NULL, NULL, NULL, &ended));
    for (int i = 0; i < 40; i++) {
        long before = counter;
        pid_t child = fork();
        CHECK_OK(child);
        if (child == 0) {
            long now = counter;
            talk(20);
            CHECK_EQ(counter, now);
            CHECK_ONE_KERNEL_THREAD();
            _exit(3);
        }
        talk(5);
        CHECK_EQ(wait_child(child), 3 << 8);
        EVENTUALLY(counter > before);
    }
    stop = 1;
    EVENTUALLY(__atomic_load_n(&ended, __ATOMIC_SEQ_CST) == 0);
    return 0;
}
