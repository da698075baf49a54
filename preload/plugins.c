// plugins.c: dlopen without RTLD_DEEPBIND.
//
// A plugin loaded with that flag finds libc's free before ours, while libc's
// strdup got the block from us: every preloaded allocator crashes there. This dlopen
// removes the flag and jumps to the real one, which then still sees the caller's
// address and searches the caller's RUNPATH. The flag is kept with
// MOUND_DEEPBIND=keep and while another allocator serves the program.
#include <dlfcn.h>

#include "interpose.h"
#include "life/process.h"

typedef void *dlopen_fn(const char *path, int mode);

static dlopen_fn *real_dlopen;

static dlopen_fn *find_dlopen(void) {
    if (real_dlopen == NULL)
        *(void **)&real_dlopen = dlsym(RTLD_NEXT, "dlopen");
    return real_dlopen;
}

// A call in tail position is a jump only when optimised.
__attribute__((optimize("O2"))) EXPORT void *dlopen(const char *path,
                                                    int mode) {
    dlopen_fn *next = find_dlopen();
    if ((mode & RTLD_DEEPBIND) && !process_keep_deepbind() &&
        !process_passive())
        mode &= ~RTLD_DEEPBIND;
    return next(path, mode);
}
