// check.h: assertions. A broken invariant ends the process with one plain
// phrase; running out of memory never does.
#ifndef MOUND_BASE_CHECK_H
#define MOUND_BASE_CHECK_H

#include "base/compiler.h"

// throw_ writes "mound: fatal: PHRASE" to descriptor 2 and aborts. It takes no
// lock and does not allocate.
__attribute__((noreturn)) COLD void throw_(const char *phrase);

// check is always on: for conditions that are cheap and protect memory.
#define check(cond, phrase)                                                    \
    do {                                                                       \
        if (UNLIKELY(!(cond)))                                                 \
            throw_(phrase);                                                    \
    } while (0)

#ifdef MOUND_DEBUG
#define debug_check(cond, phrase) check(cond, phrase)
#else
#define debug_check(cond, phrase) ((void)sizeof(cond))
#endif

#endif // MOUND_BASE_CHECK_H
