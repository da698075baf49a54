// origin.c: see origin.h.
#include "watch/origin.h"

#include "prof/mprof.h"
#include "prof/stacktext.h"
#include "runtime/runtime.h"

enum { FREED_KEPT = 1 << 10 }; // freed samples that a report may still name

// The last FREED_KEPT samples that were freed. Written and read without a lock: a
// report prints what it finds.
static struct {
    const void *_Atomic p;
    struct mbucket *_Atomic allocated;
    struct mbucket *_Atomic freed;
} last_freed[FREED_KEPT];
static struct { // a cache line of its own, which sampled frees write to
    _Atomic uint32_t n;
} CACHELINE_ALIGNED nfreed;

void origin_freed(const void *p, struct mbucket *allocated,
                  struct mbucket *freed) {
    uint32_t i = atomic_fetch_add_explicit(&nfreed.n, 1, memory_order_relaxed) %
                 FREED_KEPT;
    atomic_store_explicit(&last_freed[i].p, NULL, memory_order_relaxed);
    // release: no reader sees the old p with these
    atomic_store_explicit(&last_freed[i].allocated, allocated,
                          memory_order_release);
    atomic_store_explicit(&last_freed[i].freed, freed, memory_order_release);
    // release: a reader of p sees the stacks; partner: acquire in origin_describe
    atomic_store_explicit(&last_freed[i].p, p, memory_order_release);
}

static void print_stack(struct print *out, const char *what,
                        const struct mbucket *b) {
    if (b == NULL || b->npcs == 0)
        return;
    print_str(out, what);
    stacktext_print(out, b->pcs, b->npcs);
}

// live_sample returns the sample of the live object that contains p, or NULL.
static const struct mbucket *live_sample(const void *p) {
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    if (s == NULL)
        return NULL;
    uintptr_t offset = (uintptr_t)p - mspan_start(s);
    if (mspan_state(s) == MSPAN_LARGE && offset < s->npages << PAGE_SHIFT)
        return atomic_load_explicit(&s->sample, memory_order_relaxed);
    if (mspan_state(s) != MSPAN_SMALL || s->samples == NULL ||
        offset / s->elemsize >= s->nelems)
        return NULL;
    return s->samples[offset / s->elemsize];
}

void origin_describe(struct print *out, const void *p) {
    const struct mbucket *live = live_sample(p);
    print_stack(out, "  allocated by\n", live);
    if (live != NULL)
        return;
    uint32_t n = atomic_load_explicit(&nfreed.n, memory_order_relaxed);
    for (uint32_t i = 1; i <= FREED_KEPT && i <= n; i++) {
        uint32_t at = (n - i) % FREED_KEPT;
        if (atomic_load_explicit(&last_freed[at].p, memory_order_acquire) != p)
            continue;
        print_stack(
            out, "  freed by\n",
            atomic_load_explicit(&last_freed[at].freed, memory_order_relaxed));
        print_stack(out, "  allocated by\n",
                    atomic_load_explicit(&last_freed[at].allocated,
                                         memory_order_relaxed));
        return;
    }
}
