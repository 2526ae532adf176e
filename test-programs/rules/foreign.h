// Kernel threads that the program makes by clone itself, with a thread pointer of their own, so that they can call libc.
#ifndef FOREIGN_H
#define FOREIGN_H
#include "check.h"
#include <dlfcn.h>
#include <sys/mman.h>

enum { FOREIGN_STACK = 1 << 18 };

struct foreign {
    void *(*fn)(void *);
    void *arg;
    char *stack;
    void **tls;
    pid_t alive; // cleared by the kernel at its end
};

static int foreign_begin(void *arg) {
    struct foreign *f = (struct foreign *)arg;
    f->fn(f->arg);
    return 0;
}

CHECK_UNUSED static void foreign_spawn(struct foreign *f, void *(*fn)(void *), void *arg) {
    void *(*allocate)(void *) = (void *(*)(void *))dlsym(RTLD_DEFAULT, "_dl_allocate_tls");
    CHECK(allocate != NULL);
    *f = (struct foreign){.fn = fn, .arg = arg, .alive = 1};
    f->stack = (char *)mmap(NULL, FOREIGN_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(f->stack != MAP_FAILED);
    CHECK((f->tls = (void **)allocate(NULL)) != NULL);
    // What x86-64 wants there: the thread pointer's own value, and libc's guards, which are the process's.
    void **own;
    __asm__("mov %%fs:0, %0" : "=r"(own));
    f->tls[0] = f->tls[2] = f->tls;
    f->tls[5] = own[5], f->tls[6] = own[6];
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS | CLONE_CHILD_CLEARTID;
    CHECK_OK(clone(foreign_begin, f->stack + FOREIGN_STACK, flags, f, NULL, f->tls, &f->alive));
}

CHECK_UNUSED static void foreign_join(struct foreign *f) {
    void (*release)(void *, int) = (void (*)(void *, int))dlsym(RTLD_DEFAULT, "_dl_deallocate_tls");
    CHECK(release != NULL);
    EVENTUALLY(__atomic_load_n(&f->alive, __ATOMIC_SEQ_CST) == 0);
    release(f->tls, 1);
    CHECK_OK(munmap(f->stack, FOREIGN_STACK));
}

#endif
