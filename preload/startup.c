// startup.c: the life of the process around the allocator: when it starts, when
// it stands aside, fork, and every way out.
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "interpose.h"
#include "os/sys.h"
#include "shim.h"

extern char **environ;

// fork against stdio (glibc bug 19431): fork takes the lock of the list of open
// files after our handler, fflush(NULL) takes it before each file's, getline
// calls malloc under a file's. glibc takes its malloc locks after that list's
// lock; so do we, by taking it first. It is recursive by owner.
void _IO_list_lock(void);
void _IO_list_unlock(void);
void _IO_list_resetlock(void);

static bool list_locked; // between before_fork and after; one forker at a time

static void before_fork(void) {
    bool lock = !sys_single_threaded();
    if (lock)
        _IO_list_lock();
    runtime_before_fork();
    list_locked = lock;
}

static void after_fork_parent(void) {
    bool unlock = list_locked;
    runtime_after_fork_parent();
    if (unlock)
        _IO_list_unlock();
}

static void after_fork_child(void) {
    bool reset = list_locked;
    runtime_after_fork_child();
    // glibc has reset the lock already if it saw threads; our own count is
    // gone with that, so an unlock would take it below zero.
    if (reset)
        _IO_list_resetlock();
}

// The C library's own allocator, below us in the search order.
static bool find_next(struct runtime_next *ret_next) {
    *(void **)&ret_next->malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&ret_next->free = dlsym(RTLD_NEXT, "free");
    *(void **)&ret_next->calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&ret_next->realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&ret_next->memalign = dlsym(RTLD_NEXT, "memalign");
    *(void **)&ret_next->malloc_usable_size =
        dlsym(RTLD_NEXT, "malloc_usable_size");
    return ret_next->malloc != NULL && ret_next->free != NULL &&
           ret_next->calloc != NULL && ret_next->realloc != NULL &&
           ret_next->memalign != NULL && ret_next->malloc_usable_size != NULL;
}

// another_serves says whether the program's malloc is another than ours: one in
// the executable itself, or one preloaded in front of us. A wrapper in front
// that passes on to us is told by asking it for a block.
static bool another_serves(void) {
    void *(*first_malloc)(size_t) = NULL;
    void (*first_free)(void *) = NULL;
    *(void **)&first_malloc = dlsym(RTLD_DEFAULT, "malloc");
    *(void **)&first_free = dlsym(RTLD_DEFAULT, "free");
    if (first_malloc == NULL || first_free == NULL ||
        first_malloc == interpose_malloc())
        return false;
    void *p = first_malloc(1);
    bool passes_on = p != NULL && shim_owns(p);
    first_free(p);
    return !passes_on;
}

// A sanitizer's runtime brings its own malloc and wants to be first.
static bool sanitized(void) {
    return dlsym(RTLD_DEFAULT, "__asan_init") != NULL ||
           dlsym(RTLD_DEFAULT, "__tsan_init") != NULL ||
           dlsym(RTLD_DEFAULT, "__msan_init") != NULL;
}

static void dump_at_quick_exit(void) {
    shim_exiting();
}

// With -z initfirst this runs before every other constructor, libc's included;
// malloc may have been called before all the same.
__attribute__((constructor)) static void start(int argc, char **argv,
                                               char **envp) {
    (void)argc;
    (void)argv;
    shim_start(envp);
    pthread_atfork(before_fork, after_fork_parent, after_fork_child);
    at_quick_exit(dump_at_quick_exit);
    struct runtime_next next;
    if ((shim_off() || sanitized() || another_serves()) && find_next(&next))
        shim_go_passive(&next);
}

__attribute__((destructor)) static void finish(void) {
    shim_finish();
}

// Programs that leave without exit(): shells, and children after fork.
EXPORT void _exit(int status) {
    shim_exiting();
    sys_exit_group(status);
}

EXPORT void _Exit(int status) {
    _exit(status);
}
