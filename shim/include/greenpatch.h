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

#undef GREENPATCH_FIND_
#undef GREENPATCH_WEAK_

#ifdef __cplusplus
}
#endif

#endif /* GREENPATCH_H */
