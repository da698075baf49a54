// probes.h: the probes that tracers may attach to (USDT, .note.stapsdt): one
// instruction without effect, executed for sampled objects only. Names and
// arguments are those of OpenTelemetry's eBPF profiler. Each has a semaphore, a
// word in the process that the kernel increments when a tracer attaches and
// decrements when it detaches.
#ifndef MOUND_PROF_PROBES_H
#define MOUND_PROF_PROBES_H

#include "base/compiler.h"

// The semaphores. Their names are part of the interface.
extern unsigned short otel_memory_alloc_semaphore HIDDEN;
extern unsigned short otel_memory_free_semaphore HIDDEN;

// probes_attached says whether a tracer is attached to either. Two loads.
ALWAYS_INLINE bool probes_attached(void) {
    return (__atomic_load_n(&otel_memory_alloc_semaphore, __ATOMIC_RELAXED) |
            __atomic_load_n(&otel_memory_free_semaphore, __ATOMIC_RELAXED)) !=
           0;
}

// otel_memory:alloc(ptr, size, weighted_bytes): a sampled object, its bytes,
// and how many bytes it represents.
void probe_alloc(const void *p, uint64_t size, uint64_t weighted_bytes);

// otel_memory:free(ptr): a sampled object is freed.
void probe_free(const void *p);

#endif // MOUND_PROF_PROBES_H
