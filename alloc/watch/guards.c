// guards.c: see guards.h.
#include "watch/guards.h"

#include "base/bits.h"
#include "base/stdfd.h"
#include "os/unwind.h"
#include "prof/report.h"
#include "runtime/runtime.h"
#include "runtime/thread.h"

enum { NSLOTS = 128 };

struct guard_pool guards_pool;
static _Atomic(void *) samples[NSLOTS]; // of the object in each slot

static _Atomic(void *) *sample_at(const void *p) {
    // Each slot is preceded by a guard page.
    size_t pair = 2 * guards_pool.page_size;
    size_t slot = ((uintptr_t)p - guards_pool.start) / pair;
    return &samples[slot < NSLOTS ? slot : NSLOTS - 1];
}

bool guards_fault(uintptr_t addr, uintptr_t pc, const void *context) {
    struct thread_tls *t = &thread_tls;
    bool unwinding = t->unwinding;
    (void)pc;
    t->unwinding = true; // allocations of libunwind are not sampled
    bool ours = guard_fault(&guards_pool, addr, context);
    t->unwinding = unwinding;
    return ours;
}

bool guards_init(void) {
    return guard_init(&guards_pool, NSLOTS);
}

void *guards_alloc(size_t size, size_t align, const uintptr_t *pcs,
                   unsigned npcs, void *sample) {
    // At least one byte: size 0 means "no live object" to the pool.
    size = max_size(size, 1);
    void *p = guard_alloc(&guards_pool, size, align, pcs, npcs);
    if (p == NULL)
        return NULL;
    atomic_store_explicit(sample_at(p), sample, memory_order_relaxed);
    // Counted where other blocks without a class are.
    runtime_count(&mound_stats.emergency_mallocs, 1);
    runtime_count(&mound_stats.emergency_bytes, size);
    runtime_count(&mound_stats.emergency_total_bytes, size);
    return p;
}

void *guards_free(void *p, const char *call) {
    uintptr_t pcs[UNWIND_MAX];
    unsigned npcs = unwind_stack(pcs, UNWIND_MAX);
    size_t size = guard_usable_size(&guards_pool, p);
    void *sample = atomic_load_explicit(sample_at(p), memory_order_relaxed);
    enum guard_verdict verdict = guard_free(&guards_pool, p, pcs, npcs);
    if (verdict == GUARD_OK || verdict == GUARD_OVERWRITTEN) {
        runtime_count(&mound_stats.emergency_frees, 1);
        runtime_count(&mound_stats.emergency_bytes, (uint64_t)0 - size);
    } else {
        sample = NULL;
    }
    if (verdict != GUARD_OK && report_begin()) {
        struct print out = print_to(stdfd_err());
        guard_describe_free(&guards_pool, verdict, call, p, pcs, npcs, &out);
        print_flush(&out);
        report_end();
    }
    return sample;
}

void guards_repair(void) {
    guard_forked_bare(&guards_pool);
}
