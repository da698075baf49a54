// mcache.h: tier 1, the cache of one thread: for each size class a magazine of
// free slots and the count of its mallocs. One owner, no lock on a hit.
//
// Only the owner moves `top`; slow paths do so under the lock of the class, so
// that who holds it may read every magazine of the class (memstats, fork).
// Hits change `top` and `count` without it: a reader is off by the hits in
// flight at that moment.
#ifndef MOUND_HEAP_MCACHE_H
#define MOUND_HEAP_MCACHE_H

#include <stdatomic.h>

#include "base/list.h"
#include "heap/pagemap.h"
#include "heap/sizeclass.h"

struct mheap;

// struct magazine: slots stand in (bottom, top), newest at top - 1; bottom - 1
// holds NULL, so that an empty magazine yields NULL. Two of them fill a cache
// line.
//
//   bottom <= top <= bottom + cap
//   limit is bottom + cap; or bottom, when the next free is to be checked
//
// A free at or above limit goes the slow way. bottom == top == limit: the class has
// no capacity (yet), which reads as empty and full at once; if it has no array
// either, they lead to a NULL that all share. All fields but count are atomic for
// readers in other threads; every access is relaxed.
struct magazine {
    void **_Atomic top;
    void **_Atomic limit;
    _Atomic uint64_t count; // mallocs served
    void **_Atomic bottom;
};

// struct magazine_shape is what only slow paths need to know of a magazine.
struct magazine_shape {
    uint16_t cap;           // slots it may hold now
    uint8_t array_log2 : 4; // pointers in its array; 0: it has none
    bool no_room : 1;       // the transfer store was full last time
    uint8_t last : 2;       // what its last slow path was: MAGAZINE_WAS_...
    uint8_t nalike : 4;  // slow paths of that kind in a row, since it last grew
    bool had_lines : 1;  // got slots on cache lines of their own
    bool check : 1;      // the next free is to be checked
    uint32_t count_seen; // low half of count when the clock hand came by
};

enum { MAGAZINE_WAS_NOTHING, MAGAZINE_WAS_DRY, MAGAZINE_WAS_FULL };

// struct largecache holds large objects that the thread freed, for its next
// requests of as many pages: one for each remainder of npages. They are live
// objects for mheap, so all counters of large objects are corrected by these:
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
    uint32_t hand;          // (o) class that is asked to give up capacity next
    uint32_t nslow;         // (o) slow paths
    uint32_t refused_until; // (o) nslow when the budget may be asked again
    uint32_t nfresh;        // (o) mheap.nfresh when idle classes were trimmed
    uint32_t trim_at;       // (o) the class to go on with; 0: it is done
    bool armed;             // (o) see mcache_arm
    struct magazine_shape shapes[NUM_SIZECLASSES]; // (o)
    struct largecache large;                       // (o)
};

// MCACHE_NONE is the cache of a thread that has none: every magazine of it is
// empty and full, so each call takes the slow path. There is no more of it than
// what the fast paths read. Never written.
extern const struct magazine mcache_none[] HIDDEN; // NUM_SIZECLASSES
#define MCACHE_NONE ((struct mcache *)(uintptr_t)mcache_none)

// magazine_count counts one malloc and says whether the count came to zero. The
// owner alone writes it, so that no locked instruction is needed; but for C a
// relaxed load and a relaxed store are two, where this machine has one.
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
    // A count that comes to zero: this one is due, and is counted by who serves it.
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

// mcache_sample_due says whether the next malloc of a class is one to be sampled.
static inline bool mcache_sample_due(struct mcache *c, unsigned sizeclass) {
    return atomic_load_explicit(&c->magazines[sizeclass].count,
                                memory_order_relaxed) == UINT64_MAX;
}

// mcache_sample_after makes the n-th malloc of a class from now on due; n is at
// least 1. The magazine's count is set n below zero, and nretired of the class
// rises by as much as that takes away, so that their sum stays what it was: the
// fast path counts to a sample without a second counter. Caller is the owner,
// in a slow path.
void mcache_sample_after(struct mcache *c, struct mheap *h, unsigned sizeclass,
                         uint64_t n);
enum { MCACHE_SAMPLE_NEVER_LOG2 = 62 }; // n for: not any more

// mcache_arm makes a malloc due in each class that was used after some hits, if there is memory to
// be returned: a program that never misses would never come to the scavenger.
// mcache_come_by is what such a malloc does, if no profile is taken: it says
// whether the scavenger is to be asked, and makes another due if so.
void mcache_arm(struct mcache *c, struct mheap *h);
bool mcache_come_by(struct mcache *c, struct mheap *h, unsigned sizeclass);

// mcache_init makes a record an empty cache: a fresh one, or one that mcache_end
// has left.
void mcache_init(struct mcache *c, uintptr_t owner);

// mcache_refill is called when a magazine is dry: it brings slots from mcentral
// and returns one of them, counted, or NULL when there is no memory.
void *mcache_refill(struct mcache *c, struct mheap *h, unsigned sizeclass);

// mcache_overflow is called when mcache_free returned false. If this free is to be
// checked, it is: p is no slot, or free already, or among those of the magazine:
// then it is reported, and nothing is changed. A magazine that is full gets room,
// mostly by giving its older half to mcentral. Then it keeps p.
//
// The first CHECKED_FREES frees of a process are checked, then one for each class
// and thread in 2, 4, ... CHECK_MOST mallocs of it (the malloc comes to
// mcache_come_by), and some of those that find a magazine full. counting: no profile
// is taken, which would count the same mallocs.
enum { CHECKED_FREES = 128, CHECK_MOST = 4096 };
void mcache_overflow(struct mcache *c, struct mheap *h, unsigned sizeclass,
                     void *p, bool counting);

// mcache_check_next makes the next free of a class one to be checked.
void mcache_check_next(struct mcache *c, unsigned sizeclass);

// mcache_holds says whether p is one of the newest few slots of its magazine.
bool mcache_holds(struct mcache *c, unsigned sizeclass, const void *p);

// mcache_keep_large takes the freed object of a large span, or returns false.
// mcache_use_large returns a span of npages that it kept, as a live object that
// is not known to be zero, or NULL. No lock but when another has to leave.
// mcache_has_large says whether there is one.
bool mcache_has_large(const struct mcache *c, size_t npages);
bool mcache_keep_large(struct mcache *c, struct mheap *h, struct mspan *s);
struct mspan *mcache_use_large(struct mcache *c, size_t npages);

// mcache_trim gives back of each class what it holds beyond the mallocs since its last
// call, if the heap needed fresh memory since then: that shall serve others before more
// is touched. Large objects go if none was asked for. Cost: a thousand slots at most;
// the next call goes on.
void mcache_trim(struct mcache *c, struct mheap *h);

// mcache_flush gives every slot back to its span, where misuse is seen, and
// returns the arrays. The cache can go on afterwards. The caller is the owner.
void mcache_flush(struct mcache *c, struct mheap *h);

// mcache_end empties a cache whose owner ends, or is gone, and adds its counts to
// those of the classes. Its slots go to the transfer stores where there are some,
// for the next thread, and the small ones of its arrays stay with the record. Cost:
// of each class that was used two locks, or one more for each 32 slots that go to
// their spans; of the heap's three.
void mcache_end(struct mcache *c, struct mheap *h);

// mcache_abandon empties the magazine of a class that was being changed when its
// owner ceased to exist: its slots are leaked, which stay live objects, and its
// count goes to the class.
void mcache_abandon(struct mcache *c, struct mheap *h, unsigned sizeclass);

// mcache_book_only makes the budget count what own may hold, or nothing if NULL:
// what other caches were granted was their process's. mcache_unbook makes such a
// cache one of no capacity, before it is flushed.
void mcache_book_only(struct mheap *h, const struct mcache *own);
void mcache_unbook(struct mcache *c);

// mcache_cap_limit returns the bytes that all caches together may hold now.
uint64_t mcache_cap_limit(const struct mheap *h, uint64_t nthreads);

#endif // MOUND_HEAP_MCACHE_H
