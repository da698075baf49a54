// tracers.h: sampling for tracers that attach to the probes (prof/probes.h). It starts at
// the rate of MOUND_PROFILE_RATE when a tracer attaches, and stops when it detaches. It
// does not change sampling that was active before, or that the program starts or stops
// meanwhile.
#ifndef MOUND_TRACERS_H
#define MOUND_TRACERS_H

#include <stdatomic.h>

#include "prof/probes.h"

extern _Atomic bool tracers_followed
    HIDDEN; // a tracer was seen, and has not detached

// tracers_have_news is for the tick of slow paths: three loads. If it returns true,
// tracers_look checks whether sampling is to start or to stop. In a slow path, without
// locks.
ALWAYS_INLINE bool tracers_have_news(void) {
    return probes_attached() ||
           atomic_load_explicit(&tracers_followed, memory_order_relaxed);
}
COLD void tracers_look(void);

#endif // MOUND_TRACERS_H
