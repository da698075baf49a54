// auxv.h: what the kernel told the program at its start.
#ifndef MOUND_OS_AUXV_H
#define MOUND_OS_AUXV_H

#include <errno.h>
#include <sys/auxv.h>

#include "base/compiler.h"

// auxv_get returns a value of the auxiliary vector (AT_SYSINFO_EHDR, ...), or 0
// if the vector does not have it. It keeps errno, which getauxval sets in that
// case.
static inline uintptr_t auxv_get(unsigned long type) {
    int saved = errno;
    uintptr_t value = getauxval(type);
    errno = saved;
    return value;
}

#endif // MOUND_OS_AUXV_H
