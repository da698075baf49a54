// memwatch_none.c: os/memwatch.h where nobody watches. ThreadSanitizer has functions of
// its own in the place of libc's, which would be told of each release: then there are no
// holes, and no release beside other threads.
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
