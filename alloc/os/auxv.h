// auxv.h: what the kernel told the program at its start.
#ifndef MOUND_OS_AUXV_H
#define MOUND_OS_AUXV_H

#include <errno.h>
#include <sys/auxv.h>

#include "base/compiler.h"

// auxv_get returns a value of the auxiliary vector (AT_SYSINFO_EHDR, ...), or 0: it was not
// told. errno stays, which getauxval sets then.
static inline uintptr_t auxv_get(unsigned long type) {
    int saved = errno;
    uintptr_t value = getauxval(type);
    errno = saved;
    return value;
}

#endif // MOUND_OS_AUXV_H
