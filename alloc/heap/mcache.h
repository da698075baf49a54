// mcache.h: tier 1, the cache of one thread: for each size class a magazine of
// free slots and the count of its mallocs. One owner, no lock on a hit: the hits are
// here, the slow paths in mcache_slow.h.
#ifndef MOUND_HEAP_MCACHE_H
#define MOUND_HEAP_MCACHE_H

#include <stdatomic.h>

#include "base/list.h"
#include "heap/magazine.h"
#include "heap/sizeclass.h"

struct mspan;

// struct largecache holds large objects that the thread freed, for its next
// requests of as many pages: one for each remainder of npages (largecache.h). They
// are live objects for mheap, so all counters of large objects are corrected by
// these:
//
//   mallocs = largestats.nmallocs + nhits,  frees = nfrees + nhits + nheld
//
// The counters are atomic for readers in other threads, relaxed.
enum { LARGECACHE_SPANS = 16 };
struct largecache {
    struct mspan *spans[LARGECACHE_SPANS]; // by npages % LARGECACHE_SPANS
    _Atomic uint64_t nhits;                // requests served
    _Atomic uint64_t hit_bytes;            // of them
    _Atomic uint64_t nheld;
    _Atomic uint64_t held_bytes;
    uint64_t cap_bytes;  // what it may hold
    uint64_t nhits_seen; // when it was last trimmed
};

// struct mcache: records are type-stable.
//   (o) owner; others under the lock of the class   (t) lock of the thread list
struct mcache {
    struct magazine magazines[NUM_SIZECLASSES] CACHELINE_ALIGNED; // (o) first:
        // the fast paths then add nothing to reach them
    struct list link; // (t) in the list of live caches
    uintptr_t owner;  // (t) sys_self of the owner
    void *owner_tls;  // (t) struct thread_tls of the owner
    // A line that no other thread writes to, as it does to link.
    uint64_t cap_bytes
        CACHELINE_ALIGNED;  // (o) slots all magazines may hold, in bytes
    uint32_t hand;          // (o) the class to take capacity from next
    uint32_t nslow;         // (o) slow paths
    uint32_t refused_until; // (o) nslow when a magazine may grow again
    uint32_t nfresh;        // (o) mheap.nfresh when idle classes were trimmed
    uint32_t trim_at;       // (o) the class to go on with; 0: it is done
    bool armed;             // (o) see duemalloc_arm
    bool sized;             // (o) sizes are sampled: always armed
    struct magazine_shape shapes[NUM_SIZECLASSES]; // (o)
    struct largecache large;                       // (o)
};

// MCACHE_NONE is the cache of a thread without one: every magazine is empty and
// full, so each call takes the slow path. It has only the part that fast paths
// read. Never written.
extern const struct magazine mcache_none[] HIDDEN; // NUM_SIZECLASSES
#define MCACHE_NONE ((struct mcache *)(uintptr_t)mcache_none)

// magazine_count counts one malloc and says whether the count became 0. Only
// the owner writes it, so no locked instruction is needed. In C that is a
// relaxed load and a relaxed store; x86-64 has one instruction.
ALWAYS_INLINE bool magazine_count(struct magazine *m) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    bool zero;
    __asm__("incq %0" : "+m"(m->count), "=@ccz"(zero));
    return zero;
#else
    uint64_t count = atomic_load_explicit(&m->count, memory_order_relaxed) + 1;
    atomic_store_explicit(&m->count, count, memory_order_relaxed);
    return count == 0;
#endif
}

// mcache_alloc pops a slot of a class, or returns NULL: the magazine is empty, or
// mcache_sample_due. The first conditions of a hit are the caller's: a class that exists.
ALWAYS_INLINE void *mcache_alloc(struct mcache *c, unsigned sizeclass) {
    struct magazine *m = &c->magazines[sizeclass];
    void **top = atomic_load_explicit(&m->top, memory_order_relaxed);
    void *p = top[-1];
    if (UNLIKELY(p == NULL))
        return NULL;
    // The count became 0: this malloc is due. The slow path that serves it
    // counts it.
    if (UNLIKELY(magazine_count(m))) {
        atomic_store_explicit(&m->count, UINT64_MAX, memory_order_relaxed);
        return NULL;
    }
    atomic_store_explicit(&m->top, top - 1, memory_order_relaxed);
    return p;
}

// mcache_free pushes a slot of a class and returns true, or returns false: the
// magazine is full, or this free is to be checked, or p is the slot that was freed
// last. Class 0 is always full.
ALWAYS_INLINE bool mcache_free(struct mcache *c, unsigned sizeclass, void *p) {
    struct magazine *m = &c->magazines[sizeclass];
    void **top = atomic_load_explicit(&m->top, memory_order_relaxed);
    void **limit = atomic_load_explicit(&m->limit, memory_order_relaxed);
    if (UNLIKELY((uintptr_t)top >= (uintptr_t)limit) || UNLIKELY(top[-1] == p))
        return false;
    *top = p;
    atomic_store_explicit(&m->top, top + 1, memory_order_relaxed);
    return true;
}

// mcache_sample_due says whether the next malloc of a class is due for the slow
// path.
static inline bool mcache_sample_due(struct mcache *c, unsigned sizeclass) {
    return atomic_load_explicit(&c->magazines[sizeclass].count,
                                memory_order_relaxed) == UINT64_MAX;
}

// mcache_init makes a record an empty cache: a fresh one, or one that mcache_end
// has left.
void mcache_init(struct mcache *c, uintptr_t owner);

// mcache_was_used says whether a cache has, or had, slots or mallocs of a
// class.
static inline bool mcache_was_used(const struct mcache *c, unsigned sizeclass) {
    return c->shapes[sizeclass].array_log2 != 0 ||
           atomic_load_explicit(&c->magazines[sizeclass].count,
                                memory_order_relaxed) != 0;
}

#endif // MOUND_HEAP_MCACHE_H
