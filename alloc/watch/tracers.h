// tracers.h: samples for a tracer that attaches to the probes (prof/probes.h): they are
// taken from then on, at the rate of MOUND_PROFILE_RATE, and until it leaves. Where samples
// are taken already, or the program starts or stops them itself meanwhile, those are left
// alone.
#ifndef MOUND_TRACERS_H
#define MOUND_TRACERS_H

#include <stdatomic.h>

#include "prof/probes.h"

extern _Atomic bool tracers_followed
    HIDDEN; // one was seen, and not yet its end

// tracers_have_news is for the tick of slow paths: three loads. If so, or if one is
// attached, tracers_look looks whether samples are to start or to stop. In a slow path,
// without locks.
ALWAYS_INLINE bool tracers_have_news(void) {
    return probes_attached() ||
           atomic_load_explicit(&tracers_followed, memory_order_relaxed);
}
COLD void tracers_look(void);

#endif // MOUND_TRACERS_H
