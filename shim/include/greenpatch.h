/*
 * greenpatch.h: the C API of libgreenpatch.so, for C and C++.
 *
 * Nothing here is needed to run under the shim. It is for programs that want to know whether they do.
 * No library has to be linked: the symbols are weak, and a program that uses them runs without the
 * shim too. The calls below then do nothing and return what their comments say.
 *
 *     #include <greenpatch.h>
 *
 *     if (greenpatch_is_patched("socket") == 1)
 *         puts("a recv() in one thread lets the others run");
 *
 * All functions may be called from any thread. They may be called in a signal handler too, except
 * greenpatch_yield().
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef GREENPATCH_H
#define GREENPATCH_H

#if !defined(__GNUC__)
#error "greenpatch.h needs a compiler with GNU C attributes (gcc, clang)"
#endif

#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A macro of the same name stands before each function, so that a plain call is always safe.
 * The address of a function (&greenpatch_yield) is that of the weak symbol, which may be null.
 */
#define GREENPATCH_WEAK_ __attribute__((weak, visibility("default")))

/*
 * Whether the calls of one module are cooperative in this process.
 *
 * module: "os", "socket", "select", "time", "thread", "signal", "process", "dns", or a name of
 * gevent's or eventlet's that stands for some of these ("ssl", "subprocess", "MySQLdb", ...; the
 * README has the table): then all of them are asked for.
 *
 * Returns 1 if they are: such a call lets other threads of the program run, from the moment that there
 * are others. Returns 0 if not: the module is switched off, the name stands for no module
 * ("contextvars"), the shim does nothing in this process, or it isn't there. Returns -1 and sets errno
 * to EINVAL for a name that the shim doesn't know, and for a null pointer; without the shim every
 * name gives 0.
 */
extern int greenpatch_is_patched(const char *module) GREENPATCH_WEAK_;

/*
 * The shim's version, as "0.1.0": a constant string, never to be freed. Without the shim: "".
 */
extern const char *greenpatch_version(void) GREENPATCH_WEAK_;

/*
 * Lets the other green threads that can run do so, then returns. Does nothing in a foreign thread,
 * while there are no other green threads, and without the shim. errno is left as it was, and it is no
 * cancellation point.
 */
extern void greenpatch_yield(void) GREENPATCH_WEAK_;

/*
 * The number of the green thread that calls: 1 for the program's main thread, then counted up in the
 * order of creation. A number is not used twice in one process. 0 in a foreign thread (a kernel
 * thread that has no green threads), before the program has made its first thread, and without the shim.
 */
extern unsigned long greenpatch_current(void) GREENPATCH_WEAK_;

/*
 * ---- Guest mode: somebody else's hub -------------------------------------------------------------
 *
 * For the authors of event loops that run tasks of their own on one kernel thread (gevent, eventlet,
 * tasks on ucontext stacks): a C library that blocks then lets other tasks run.
 *
 * A kernel thread gives the shim a function that waits. From then on, whenever a call of that thread
 * would wait (connect, accept, read, write, send, recv and their kin, poll, select, epoll_wait, sleeps,
 * waitpid, locks on files, name look-ups, and the locks of pthreads), the shim calls the function
 * instead, and when it returns, tries the call again. Other threads, and calls that do not wait, are as
 * without the shim. There are no green threads in such a process: pthread_create makes kernel threads.
 */

/* The callback's answers. */
#define GREENPATCH_READY 1    /* ready, or just: try again */
#define GREENPATCH_TIMEDOUT 0 /* timeout_ns are over (if not quite, the shim asks again) */
#define GREENPATCH_GIVEUP (-1) /* no longer waited for: the call fails with ECANCELED */
#define GREENPATCH_PASS (-2)  /* not here, on the hub itself for one: the kernel makes the call, and may block */
#define GREENPATCH_HANDLED (-3) /* a signal handler has run: the call fails with EINTR */

/*
 * Waits: lets other tasks run until the descriptor is ready or the time is over.
 *
 * fd:         the descriptor, or -1 for a sleep. It may be one of the shim's own (a set of descriptors comes as one
 *             epoll descriptor, a lock as an eventfd): it is to be polled, and neither read nor closed.
 * events:     what is waited for: POLLIN, POLLOUT or both. Errors and hang-ups count as ready too.
 * timeout_ns: how long at most, in nanoseconds from now; -1 for ever. 0, with fd -1, is sched_yield().
 * data:       as registered.
 *
 * It is called on the stack of the code that waits, deep in a C library, and may switch to other tasks, whose calls
 * may call it again before it returns. It may take as long as it likes. It returns in the kernel thread that it was called
 * in. If it never returns, because its task is dropped together with its stack, a little memory and a descriptor
 * are lost, and if it waited for a lock, one wake-up of that lock. errno is kept by the shim. No exception may leave it, and
 * it must not be cancelled (pthread_cancel, pthread_exit) or left by longjmp.
 *
 * A wait that is given up ends its call with ECANCELED, or with what it has done already (a part of the bytes); sem_wait and
 * the like give EINTR, and pthread_mutex_lock, which cannot fail, asks again. A signal ends a wait only if the callback says so.
 */
typedef int greenpatch_wait_fn(int fd, int events, long long timeout_ns, void *data);

/*
 * Has the waits of the calling kernel thread done by `wait`; null ends that. Called again, it
 * replaces the callback. It must be called once in each kernel thread that is to be served, and before
 * the thread ends, with null.
 *
 * Returns 0, or -1 with errno:
 *   EBUSY    there are green threads already: the program has made a thread while the thread module
 *            was on
 *   EAGAIN   there are other kernel threads, and system calls are not redirected yet: start the program
 *            with GREENPATCH_GUEST=1
 *   ENOTSUP  the shim is switched off, or cannot redirect system calls here
 *   ENOSYS   the shim is not there
 *
 * The first call takes the module "thread" out for good. greenpatch_is_patched() then answers for the
 * thread that asks.
 */
extern int greenpatch_guest(greenpatch_wait_fn *wait, void *data) GREENPATCH_WEAK_;

/*
 * Waits of the calling thread on this descriptor go straight to the kernel, until it is closed: the epoll
 * descriptor that the hub itself waits on. Saves the callback's answering GREENPATCH_PASS.
 * Returns 0, or -1 with EINVAL if the thread has no callback, and with ENOSYS without the shim.
 */
extern int greenpatch_guest_pass(int fd) GREENPATCH_WEAK_;

/*
 * Tells that the callback's own code is reached. Only for languages whose runtime takes a lock on the way from C
 * into that code, which another kernel thread may hold: without this, the wait for that lock would
 * call the callback again. Called once after registering, and then at the start of each callback; what is
 * waited for between the callback's entry and this call waits in the kernel. CPython's GIL is known
 * to the shim, so Python programs don't need it.
 */
extern void greenpatch_guest_entered(void) GREENPATCH_WEAK_;

/*
 * Null without the shim. In code that isn't position-independent, the linker would settle a plain
 * reference to a weak symbol as null for good, and a preloaded library would never be seen; a
 * reference through the global offset table is left to the dynamic linker.
 */
#if defined(__x86_64__) && defined(__LP64__)
#define GREENPATCH_FIND_(found, name)                                            \
    __asm__(".weak " #name "\n\t"                                                \
            "mov {" #name "@GOTPCREL(%%rip), %0|%0, " #name "@GOTPCREL[rip]}"     \
            : "=r"(found))
#else
#define GREENPATCH_FIND_(found, name) ((found) = name)
#endif

/* 1 if the shim is loaded in this process (even if it is switched off), else 0. */
static __inline__ int greenpatch_present(void)
{
    const char *(*found)(void);
    GREENPATCH_FIND_(found, greenpatch_version);
    return found != 0;
}

static __inline__ int greenpatch_is_patched_or_0_(const char *module)
{
    int (*found)(const char *);
    GREENPATCH_FIND_(found, greenpatch_is_patched);
    return found != 0 ? found(module) : 0;
}
#define greenpatch_is_patched(module) greenpatch_is_patched_or_0_(module)

static __inline__ const char *greenpatch_version_or_empty_(void)
{
    const char *(*found)(void);
    GREENPATCH_FIND_(found, greenpatch_version);
    return found != 0 ? found() : "";
}
#define greenpatch_version() greenpatch_version_or_empty_()

static __inline__ void greenpatch_yield_or_nothing_(void)
{
    void (*found)(void);
    GREENPATCH_FIND_(found, greenpatch_yield);
    if (found != 0)
        found();
}
#define greenpatch_yield() greenpatch_yield_or_nothing_()

static __inline__ unsigned long greenpatch_current_or_0_(void)
{
    unsigned long (*found)(void);
    GREENPATCH_FIND_(found, greenpatch_current);
    return found != 0 ? found() : 0;
}
#define greenpatch_current() greenpatch_current_or_0_()

static __inline__ int greenpatch_guest_or_enosys_(greenpatch_wait_fn *wait, void *data)
{
    int (*found)(greenpatch_wait_fn *, void *);
    GREENPATCH_FIND_(found, greenpatch_guest);
    if (found != 0)
        return found(wait, data);
    errno = ENOSYS;
    return -1;
}
#define greenpatch_guest(wait, data) greenpatch_guest_or_enosys_(wait, data)

static __inline__ int greenpatch_guest_pass_or_enosys_(int fd)
{
    int (*found)(int);
    GREENPATCH_FIND_(found, greenpatch_guest_pass);
    if (found != 0)
        return found(fd);
    errno = ENOSYS;
    return -1;
}
#define greenpatch_guest_pass(fd) greenpatch_guest_pass_or_enosys_(fd)

static __inline__ void greenpatch_guest_entered_or_nothing_(void)
{
    void (*found)(void);
    GREENPATCH_FIND_(found, greenpatch_guest_entered);
    if (found != 0)
        found();
}
#define greenpatch_guest_entered() greenpatch_guest_entered_or_nothing_()

#undef GREENPATCH_FIND_
#undef GREENPATCH_WEAK_

#ifdef __cplusplus
}
#endif

#endif /* GREENPATCH_H */
