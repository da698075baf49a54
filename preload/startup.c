// startup.c: what a preloaded allocator must find out when the process starts, and the
// exits that run no destructors.
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

#include "interpose.h"
#include "operators.h"
#include "os/sys.h"
#include "life/process.h"

// The next allocator in the search order, usually the C library's.
struct interpose_next interpose_next;

static bool find_next(struct runtime_next *heap, struct interpose_next *rest) {
    const struct {
        const char *name;
        void *ret_function;
    } wanted[] = {
        {"malloc", &heap->malloc},
        {"free", &heap->free},
        {"calloc", &heap->calloc},
        {"realloc", &heap->realloc},
        {"memalign", &heap->memalign},
        {"malloc_usable_size", &heap->malloc_usable_size},
        {"malloc_trim", &heap->malloc_trim},
        {"memalign", &rest->memalign},
        {"aligned_alloc", &rest->aligned_alloc},
        {"posix_memalign", &rest->posix_memalign},
        {"valloc", &rest->valloc},
        {"pvalloc", &rest->pvalloc},
        {"mallopt", &rest->mallopt},
        {"mallinfo", &rest->mallinfo},
        {"mallinfo2", &rest->mallinfo2},
        {"malloc_info", &rest->malloc_info},
        {"malloc_stats", &rest->malloc_stats},
        {"_exit", &rest->exit},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *function = dlsym(RTLD_NEXT, wanted[i].name);
        if (function == NULL)
            return false;
        *(void **)wanted[i].ret_function = function;
    }
    return true;
}

// A sanitizer's runtime has its own malloc and must be first. Those with a malloc
// (address, hwaddress, leak, memory, thread) have this function, the others do not. It
// is found by a weak reference: dlsym allocates if it finds nothing, and that call may
// reach the runtime before it is ready.
extern size_t __sanitizer_get_allocated_size(const void *p)
    __attribute__((weak));

static bool sanitized(void) {
    return __sanitizer_get_allocated_size != NULL;
}

// AddressSanitizer in a library takes options from the first definition of this name.
// By default it ends a program that loads another library before it. With mound that is
// not needed, because mound passes every call on. A program's own function comes first,
// and ASAN_OPTIONS overrides both.
const char *__asan_default_options(void);
EXPORT __attribute__((weak)) const char *__asan_default_options(void) {
    return "verify_asan_link_order=0";
}

__attribute__((constructor)) static void start(int argc, char **argv,
                                               char **envp) {
    (void)argc;
    (void)argv;
    process_start(envp); // in either order with the constructor of alloc/
    struct runtime_next next = {.front = interpose_front()};
    struct interpose_next rest;
    bool off = process_off() || sanitized();
    // The program, or a library preloaded before mound, may have a malloc. Whether it
    // calls mound is found out when it does. It is not called here: the C library has
    // not read the environment yet, and that malloc may not be initialized.
    bool front = next.front & NAME_MALLOC;
    bool own = !off && !front && process_serves(malloc_usable_size);
    operators_start(own && interpose_own, !own && !front);
    if (own || !find_next(&next, &rest))
        return;
    interpose_next = rest;
    if (off || !front)
        process_go_passive(&next);
    else
        process_go_behind(&next);
}

// For programs that leave without exit(): shells, and children after fork. A sanitizer
// prints its report there too.
EXPORT void _exit(int status) {
    process_exiting(status & 0xff);
    if (interpose_next.exit != NULL)
        interpose_next.exit(status);
    sys_exit_group(status);
}

EXPORT void _Exit(int status) {
    _exit(status);
}
