// probes.h: the probes that tracers may attach to (USDT, .note.stapsdt): one
// instruction that does nothing, and only on the way of sampled objects. Names
// and arguments are those of OpenTelemetry's eBPF profiler.
#ifndef MOUND_PROF_PROBES_H
#define MOUND_PROF_PROBES_H

#include "base/compiler.h"

// otel_memory:alloc(ptr, size, weighted_bytes): a sampled object, its bytes, and
// how many bytes it stands for.
void probe_alloc(const void *p, uint64_t size, uint64_t weighted_bytes);

// otel_memory:free(ptr): a sampled object is freed.
void probe_free(const void *p);

#endif // MOUND_PROF_PROBES_H
