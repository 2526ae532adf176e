// "Somebody else's hub": tasks on one kernel thread's own stack, which is copied away while a task waits and back before
// it goes on, as greenlet does. Calls wait by greenpatch_guest(). Where that is not to be had (no shim, or green threads exist
// already) each task is a thread, and the same is asserted.
#ifndef GUEST_HUB_H
#define GUEST_HUB_H

#include "check.h"
#include <poll.h>
#include <sys/socket.h>
// check.h declares this one without the macro.
#include "../../shim/include/greenpatch.h"

enum { HUB_TASKS = 256 };

struct task {
    void (*body)(void *);
    void *arg;
    // Where its part of the stack begins while it waits, and a copy of that part.
    char *sp, *copy;
    size_t size;
    int started, ready, done;
    // What it waits for, and what the callback is to answer.
    int fd, events, answer, give_up;
    int64_t deadline;
    pthread_t thread;
};

static struct task hub_tasks[HUB_TASKS];
static int hub_count, hub_waits, hub_is_guest;
// The task that runs; null on the hub itself.
static struct task *volatile hub_current;
static char *hub_sp, *hub_base;

// Saves the registers and the stack pointer, calls copy(task) on another part of the stack, and goes on at *load.
void hub_switch(char **save, char *stack, void (*copy)(struct task *), struct task *task, char **load);
__asm__(".pushsection .text\n"
        ".type hub_switch,@function\n"
        "hub_switch:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %r8, %rbx\n"
        "    test %rsi, %rsi\n"
        "    jz 1f\n"
        "    mov %rsi, %rsp\n"
        "1:  and $-16, %rsp\n"
        "    mov %rcx, %rdi\n"
        "    call *%rdx\n"
        "    mov (%rbx), %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n"
        ".size hub_switch,.-hub_switch\n"
        ".popsection\n");

__attribute__((noinline)) CHECK_UNUSED static void hub_copy_out(struct task *task) {
    task->size = (size_t)(hub_base - task->sp);
    task->copy = (char *)realloc(task->copy, task->size);
    CHECK(task->copy != NULL);
    memcpy(task->copy, task->sp, task->size);
}

CHECK_UNUSED static void hub_back_to_hub(void) {
    struct task *me = hub_current;
    hub_current = NULL;
    hub_switch(&me->sp, NULL, hub_copy_out, me, &hub_sp);
}

CHECK_UNUSED static void hub_entry(void) {
    struct task *me = hub_current;
    me->body(me->arg);
    me->done = 1;
    hub_back_to_hub();
    abort();
}

CHECK_UNUSED static void hub_copy_in(struct task *task) {
    // What is below belongs to nobody: whatever still points there finds rubbish.
    if (task->sp > hub_base - 16384)
        memset(hub_base - 16384, 0xa5, (size_t)(task->sp - (hub_base - 16384)));
    if (task->started) {
        memcpy(task->sp, task->copy, task->size);
        return;
    }
    task->started = 1;
    uintptr_t *frame = (uintptr_t *)task->sp;
    for (int i = 0; i < 6; i++)
        frame[i] = 0;
    frame[6] = (uintptr_t)hub_entry;
}

__attribute__((noinline)) CHECK_UNUSED static void hub_resume(struct task *task) {
    if (hub_base == NULL)
        hub_base = (char *)(((uintptr_t)__builtin_frame_address(0) - 1024) & -64);
    if (!task->started)
        task->sp = hub_base - 64;
    hub_current = task;
    hub_switch(&hub_sp, (task->sp < hub_base - 16384 ? task->sp : hub_base - 16384) - 4096, hub_copy_in, task, &task->sp);
}

// The callback.
CHECK_UNUSED static int hub_wait(int fd, int events, long long timeout, void *data) {
    CHECK_STR((const char *)data, "data");
    CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
    struct task *me = hub_current;
    if (me == NULL)
        return GREENPATCH_PASS;
    hub_waits++;
    errno = 12345; // not to be seen by who waits
    me->fd = fd;
    me->events = events;
    me->deadline = timeout < 0 ? -1 : now_ns(CLOCK_MONOTONIC) + timeout;
    me->answer = GREENPATCH_READY;
    me->ready = me->give_up;
    if (!me->ready)
        hub_back_to_hub();
    if (me->give_up) {
        me->give_up = 0;
        return GREENPATCH_GIVEUP;
    }
    return me->answer;
}

CHECK_UNUSED static struct task *hub_spawn(void (*body)(void *), void *arg) {
    CHECK(hub_count < HUB_TASKS);
    struct task *task = &hub_tasks[hub_count++];
    task->body = body;
    task->arg = arg;
    task->ready = 1;
    return task;
}

// Ends the wait of a task, which has begun.
CHECK_UNUSED static void hub_give_up(struct task *task) {
    task->give_up = 1;
    task->ready = 1;
}

CHECK_UNUSED static int hub_turn(void) {
    int left = 0, ran = 0;
    for (int i = 0; i < hub_count; i++) {
        struct task *task = &hub_tasks[i];
        if (task->done)
            continue;
        left = 1;
        if (task->ready) {
            task->ready = 0;
            ran = 1;
            hub_resume(task);
        }
    }
    if (!left || ran)
        return left;
    static struct pollfd fds[HUB_TASKS];
    int64_t now = now_ns(CLOCK_MONOTONIC), wait = -1;
    for (int i = 0; i < hub_count; i++) {
        struct task *task = &hub_tasks[i];
        fds[i] = (struct pollfd){task->done ? -1 : task->fd, (short)task->events, 0};
        if (!task->done && task->deadline >= 0) {
            int64_t rest = task->deadline > now ? task->deadline - now : 0;
            wait = wait < 0 || rest < wait ? rest : wait;
        }
    }
    struct timespec time = ns_to_timespec(wait);
    int found = ppoll(fds, (nfds_t)hub_count, wait < 0 ? NULL : &time, NULL);
    CHECK(found >= 0 || errno == EINTR);
    now = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < hub_count; i++) {
        struct task *task = &hub_tasks[i];
        if (found > 0 && fds[i].revents != 0)
            task->ready = 1;
        else if (!task->done && task->deadline >= 0 && task->deadline <= now) {
            task->ready = 1;
            task->answer = GREENPATCH_TIMEDOUT;
        }
    }
    return 1;
}

CHECK_UNUSED static void *hub_thread(void *arg) {
    struct task *task = (struct task *)arg;
    task->body(task->arg);
    return NULL;
}

CHECK_UNUSED static void hub_init(void) {
    hub_is_guest = greenpatch_guest(hub_wait, (void *)(uintptr_t) "data") == 0;
    if (!hub_is_guest)
        CHECK(errno == ENOSYS || errno == EBUSY || errno == ENOTSUP);
}

// Runs all tasks to their ends, those that they make included.
CHECK_UNUSED static void hub_run(void) {
    alarm(60);
    if (hub_is_guest) {
        while (hub_turn()) {
        }
    } else {
        for (int i = 0; i < hub_count; i++)
            hub_tasks[i].thread = spawn(hub_thread, &hub_tasks[i]);
        for (int i = 0; i < hub_count; i++)
            join_thread(hub_tasks[i].thread);
    }
    for (int i = 0; i < hub_count; i++)
        free(hub_tasks[i].copy);
    memset(hub_tasks, 0, sizeof hub_tasks);
    hub_count = 0;
}

// Lets others run before it returns.
CHECK_UNUSED static void hub_pause(void) {
    sleep_ms(1);
}

#endif
