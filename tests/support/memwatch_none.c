// memwatch_none.c: replaces os/memwatch.h's functions. ThreadSanitizer interposes libc's
// functions and would get each release: so there are no holes here, and no release while
// other threads run.
#include "os/memwatch.h"

#include <sys/mman.h>

void memwatch_start(bool (*leave)(uintptr_t *ret_saved),
                    void (*back)(const uintptr_t *saved)) {
    (void)leave;
    (void)back;
}

bool memwatch_watched(void) {
    return false;
}

bool memwatch_can_tell(void) {
    return true;
}

bool memwatch_madvise_away(uintptr_t addr, size_t nbytes) {
    return madvise((void *)addr, nbytes, MADV_DONTNEED) == 0;
}

bool memwatch_munmap(uintptr_t addr, size_t nbytes) {
    return munmap((void *)addr, nbytes) == 0;
}
