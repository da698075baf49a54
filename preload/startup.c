// startup.c: what a preloaded allocator must find out when the process starts,
// and the ways out that run no destructors.
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "interpose.h"
#include "os/sys.h"
#include "process.h"

// The C library's own allocator, below us in the search order.
struct interpose_next interpose_next;

static bool find_next(struct runtime_next *heap, struct interpose_next *info) {
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
        {"mallopt", &info->mallopt},
        {"mallinfo", &info->mallinfo},
        {"mallinfo2", &info->mallinfo2},
        {"malloc_info", &info->malloc_info},
        {"malloc_stats", &info->malloc_stats},
        {"_exit", &info->exit},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        void *function = dlsym(RTLD_NEXT, wanted[i].name);
        if (function == NULL)
            return false;
        *(void **)wanted[i].ret_function = function;
    }
    return true;
}

// runs_before_all says whether the executable has code that runs before the
// constructors of all libraries but ours. Only runtimes of sanitizers do.
static bool runs_before_all(void) {
    const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    unsigned long nheaders = getauxval(AT_PHNUM);
    uintptr_t moved = 0;
    const ElfW(Dyn) *d = NULL;
    for (unsigned long i = 0; headers != NULL && i < nheaders; i++) {
        if (headers[i].p_type == PT_PHDR) // before all others
            moved = (uintptr_t)headers - headers[i].p_vaddr;
        if (headers[i].p_type == PT_DYNAMIC)
            d = (const ElfW(Dyn) *)(moved + headers[i].p_vaddr);
    }
    for (; d != NULL && d->d_tag != DT_NULL; d++)
        if (d->d_tag == DT_PREINIT_ARRAY)
            return true;
    return false;
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
    // gcc's ThreadSanitizer within the program shows none of its names but
    // malloc, which is not ready to be called.
    if (runs_before_all())
        return true;
    void *p = first_malloc(1);
    bool passes_on = p != NULL && process_owns(p);
    first_free(p);
    return !passes_on;
}

// A sanitizer's runtime brings its own malloc and wants to be first. It is known
// by one of these names. By weak references: dlsym allocates when it finds nothing,
// and what serves it then may be that runtime, which is not ready for it.
extern const char __asan_init[] __attribute__((weak));
extern const char __hwasan_init[] __attribute__((weak));
extern const char __lsan_init[] __attribute__((weak));
extern const char __msan_init[] __attribute__((weak));
extern const char __tsan_init[] __attribute__((weak));

static bool sanitized(void) {
    return __asan_init != NULL || __hwasan_init != NULL ||
           __lsan_init != NULL || __msan_init != NULL || __tsan_init != NULL;
}

// AddressSanitizer in a library asks whoever has this name for options. It would
// end a program that has any other library in front of it; for us it need not, as
// we stand aside. A program's own function comes first, and ASAN_OPTIONS have the
// last word.
const char *__asan_default_options(void);
EXPORT __attribute__((weak)) const char *__asan_default_options(void) {
    return "verify_asan_link_order=0";
}

__attribute__((constructor)) static void start(int argc, char **argv,
                                               char **envp) {
    (void)argc;
    (void)argv;
    process_start(envp); // in either order with the constructor of alloc/
    struct runtime_next next;
    struct interpose_next info;
    if ((process_off() || sanitized() || another_serves()) &&
        find_next(&next, &info)) {
        interpose_next = info;
        process_go_passive(&next);
    }
}

// Programs that leave without exit(): shells, and children after fork. A sanitizer
// has something to say then, too.
EXPORT void _exit(int status) {
    process_exiting();
    if (interpose_next.exit != NULL)
        interpose_next.exit(status);
    sys_exit_group(status);
}

EXPORT void _Exit(int status) {
    _exit(status);
}
