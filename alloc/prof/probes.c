// probes.c: see probes.h. Each probe is the first statement of a function with
// the probe's arguments, so that they stand where the calling convention puts
// them: readers that know nothing else find them.
#include "prof/probes.h"

// The notes of the probes name the semaphores.
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define SEMAPHORE __attribute__((section(".probes"), used))
SEMAPHORE unsigned short otel_memory_alloc_semaphore;
SEMAPHORE unsigned short otel_memory_free_semaphore;

NOINLINE void probe_alloc(const void *p, uint64_t size,
                          uint64_t weighted_bytes) {
    STAP_PROBE3(otel_memory, alloc, p, size, weighted_bytes);
}

NOINLINE void probe_free(const void *p) {
    STAP_PROBE1(otel_memory, free, p);
}
