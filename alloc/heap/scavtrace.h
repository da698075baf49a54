// scavtrace.h: MOUND_TRACE=scav, a line on stderr for each visit of the scavenger
// that gave memory back, in the style of Go's GODEBUG=scavtrace=1.
#ifndef MOUND_HEAP_SCAVTRACE_H
#define MOUND_HEAP_SCAVTRACE_H

#include "heap/mheap.h"

// struct scavtrace is what one visit did.
struct scavtrace {
    const char *what;     // "run", which is counted, or "holes"
    const char *who;      // "free", "tick", "fresh" or "trim"; or the helper
    uint64_t begin_ns;    // by scavtrace_now_ns
    size_t nbytes, nruns; // nruns 0: not counted
};

// scavtrace_now_ns returns the time, or 0 if there is no trace.
uint64_t scavtrace_now_ns(const struct mheap *h);

// scavtrace_print prints the line, if there is a trace and nbytes is not 0. Without
// locks; it allocates nothing.
void scavtrace_print(struct mheap *h, const struct scavtrace *t);

#endif // MOUND_HEAP_SCAVTRACE_H
