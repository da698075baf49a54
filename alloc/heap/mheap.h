// mheap.h: tier 3, the heap of the whole process: struct mheap, and the stores of its
// classes. What is done with it has files of its own:
//
//   smallspans  largespans       a span: pages and a record
//     takeback                   ... of what classes hold back, before fresh memory
//     run  populate  spanrecord  the pages, memory ahead of their use, the record
//       growth                   address space of the system
//   spanfree                     a span back; keptspans has some for the next one
//   pagecount  memlimit          what is in use, and the limit on it
//   slotarrays                   arrays of pointers
//   repair  verify  spansearch   walks over all of it
//
// See alloc/malloc.c for the tour.
#ifndef MOUND_HEAP_MHEAP_H
#define MOUND_HEAP_MHEAP_H

#include "base/fixalloc.h"
#include "base/mutex.h"
#include "heap/firstpages.h"
#include "heap/heapstats.h"
#include "heap/heldback.h"
#include "heap/holewalk.h"
#include "heap/mcentral.h"
#include "heap/pagecursor.h"
#include "heap/reservations.h"
#include "heap/residency.h"
#include "os/helper.h"

enum {
    // Arrays of pointers to slots (slotarrays.h): 2^3 to 2^13 pointers.
    SLOTARRAY_MIN_LOG2 = 3,
    SLOTARRAY_MAX_LOG2 = 13,
};

enum {
    // The longest span that is kept whole when it is freed: 1 MiB.
    KEPT_PAGES_MAX = 128,
};

#define SCAVENGE_NEVER UINT64_MAX
#define SCAVENGE_HALF_LIFE_NS ((uint64_t)1000 * 1000 * 1000)

// At most 16 384 places of moved objects: 32 768 mappings, half of those that
// the kernel grants a process. From 8 192 on they count as many.
enum {
    MHEAP_MOVED_MAX = 1 << 14,
    MHEAP_MOVED_MANY = MHEAP_MOVED_MAX / 2,
};

enum thp_mode { THP_AUTO, THP_NEVER, THP_ALWAYS };

// struct memlimit: all zero is no limit.
//   (c) constant after memlimit_set   (h) mheap.lock   (a) relaxed
struct memlimit {
    uint64_t pages;       // (c) 0: none
    uint64_t nexceeded;   // times the heap exceeded it
    bool above;           // (h)
    uint64_t spent_ticks; // (a) in this window; one thread at a time adds to it
    uint64_t since_ticks; // (a) when the window began
};

// struct mheap is one heap; all zero except for mheap_init. A process has one;
// a test may have several.
//   (c) constant after mheap_init   (h) lock   (a) atomic, see each use
struct mheap {
    struct pagemap pagemap; // first: malloc.c's fast path reads it

    // Read by slow paths without a lock, and hardly ever written.
    struct heapstats *stats
        CACHELINE_ALIGNED;        // (c) the counters, written under their locks
    _Atomic bool release_refused; // (a) relaxed: madvise is not permitted
    _Atomic bool restless;        // (a) relaxed: there is memory to be returned
                                  // once it was idle for a while
    _Atomic uint32_t nchecked; // (a) relaxed: frees that were checked; some are
                               // not counted. Of freecheck.c, which stops it
    _Atomic int64_t quiet_pages; // (a) relaxed: a child of fork populates and
                                 // releases nothing until it took so many pages

    // misuse reports a freed pointer that should not have been freed. It is set
    // from above and may not return. (c)
    void (*misuse)(struct mheap *h, void *p);

    // The stores of sampled objects, one for each class. Their spans have class
    // byte 0, so only frees of sampled objects take the slow path. NULL until
    // mheap_start_sampling. (a)
    struct mcentral *_Atomic sampled;

    // Bit c: central[c] is initialised. Most programs use a third of the
    // classes, and initialising all at the start would touch six pages. (a)
    // written under lock
    _Atomic uint64_t used[(NUM_SIZECLASSES + WORD_BITS - 1) / WORD_BITS];

    // Bytes that prof/ took from persistent for its tables, or NULL.
    // Any thread; release, so that the table is seen.
    const _Atomic uint64_t *_Atomic profile_sys;

    // Written by slow paths without a lock, at different times: one cache line
    // each.
    _Atomic uint64_t tick_ns
        CACHELINE_ALIGNED;       // (a) relaxed: when slow paths check again
    _Atomic uint64_t tick_ticks; // (a) relaxed: when they last read the clock
    _Atomic uint32_t nfresh
        CACHELINE_ALIGNED;        // (a) relaxed: times fresh memory was needed
    _Atomic uint64_t fresh_bytes; // (a) relaxed: that spans touched first
    struct heldback heldback;     // (a)
    // The capacity of all caches that counts for the common budget, in bytes.
    _Atomic uint64_t shared_cache_bytes
        CACHELINE_ALIGNED; // (a) relaxed; beyond each thread's own

    struct mutex lock CACHELINE_ALIGNED; // rank LOCKRANK_MHEAP
    struct persistent persistent;
    struct pagealloc pages;                   // (h)
    struct fixalloc small_spans;              // (h) records for up to 128 slots
    struct fixalloc large_spans;              // (h) records for up to MAX_SLOTS
    struct fixalloc caches;                   // (h) struct mcache
    void *slotarrays[SLOTARRAY_MAX_LOG2 + 1]; // (h) free ones, by size
    _Atomic uint64_t slotarray_sys;           // (a) bytes taken for such arrays
    _Atomic uint64_t other_sys;               // (a) bytes of transfer stores
    uintptr_t reserved_next; // (h) reserved, not committed: [next, end)
    uintptr_t reserved_end;  // (h)
    uintptr_t reserved_low;  // (h) the lowest address ever reserved
    struct reservations reservations; // (h) only if memlimit_watch was called
    size_t
        address_limit; // (h) RLIMIT_AS at the start, or learned from a refusal
    enum thp_mode thp; // (c) what hugepages.c may do
    bool thp_unasked;  // (c) the kernel uses them without advice
    // Of scavenger_goal.c. (c) but for tests
    uint64_t half_life_ns; // of the peak; 0: nothing is kept; or SCAVENGE_NEVER
    bool help_always;      // a helper also where there is one thread
    struct memlimit memlimit;
    bool noted; // (h) memlimit_note_locked has something to do
    // Called after pages came or went, with the lock, unless NULL. Set from
    // above by memlimit_watch. (h)
    void (*changed)(struct mheap *h);
    bool trace; // a line on stderr for each visit
    // Of hugepages.c, in regions of 2 MiB.
    _Atomic uint32_t skip;      // (a) relaxed: not filled after the last stall
    uint32_t nskip;             // (h) of these, still to come
    size_t nguessed;            // (h) see hugepages_guess_locked
    struct residency residency; // (h)
    uint32_t nforbidden;        // (h) whose advice was taken back
    uint64_t nstalls;           // (h) stalls ever
    // (h) Of large.c; read without the lock, relaxed.
    uint32_t nmoved;      // places that mremap made mappings of, about
    uint32_t nmoved_live; // moved objects
    bool crowded;         // nmoved was above MHEAP_MOVED_MANY once
    // (h) Dead spans that are kept with their pages, by npages - 1, the newest
    // first; and their pages. See keptspans.h.
    struct mspan *kept[KEPT_PAGES_MAX];
    size_t kept_pages;
    struct firstpages first_pages; // (h) they count as idle

    // The decaying peak that the scavenger keeps pages for; see scavenger_goal.c.
    uint64_t peak_pages; // (h)
    uint64_t peak_ns;    // (h) when it was last updated
    // (h) Pages with memory taken from the free ones, since reuse_ticks and in
    // the window before. See reused_locked.
    int64_t reused_pages;
    int64_t reused_before;
    uint64_t reuse_ticks;
    uint64_t reuse_seen; // when these were more than 512 KiB, last
    // (h) Pages released in the two windows. As many pages without memory, if
    // taken meanwhile, count as reused: they would have been.
    uint64_t given_pages;
    uint64_t given_before;

    struct mutex scavenger CACHELINE_ALIGNED; // rank LOCKRANK_SCAVENGER
    struct helper helper; // (a) runs while there is something to return
    // What the helper runs: set by scavenger_init. (c)
    void (*help)(void *heap);
    // Of the scavenger: whether a thread is returning memory, and the state of
    // that thread.
    _Atomic bool scavenging;     // (a) acquire when taken, release when given
    _Atomic unsigned collect_at; // (a) relaxed: the class to begin with
    uint32_t nrefused;           // releases refused since one was not
    struct pagecursor sweep;     // (h)
    size_t sweep_min;            // (h) pages of the runs of this sweep
    uint64_t short_ticks;        // (h) when a free gave back short runs, last
    struct holes holes;
    _Atomic bool holes_first; // (a) relaxed: holes are next to begin a tick
    _Atomic bool trades;      // (a) relaxed: fresh memory is traded for holes,
    _Atomic uint64_t trades_from; // (a) relaxed: as of these fresh_bytes
    _Atomic size_t trade_owed;    // (a) relaxed: and not yet, in bytes
    // (a) relaxed: bytes of holes given back and used again, halved at each walk.
    _Atomic uint64_t holes_given;
    _Atomic uint64_t holes_regained;
    _Atomic uint8_t holes_left; // (a) relaxed: what holes_left returned last

    struct mcentral central[NUM_SIZECLASSES]; // see mheap_class
};

// mheap_profile_bytes returns the bytes of prof/'s tables.
static inline uint64_t mheap_profile_bytes(const struct mheap *h) {
    // acquire: partner: release in begin_once (watch/profile.c)
    const _Atomic uint64_t *sys =
        atomic_load_explicit(&h->profile_sys, memory_order_acquire);
    return sys == NULL ? 0 : atomic_load_explicit(sys, memory_order_relaxed);
}

// What slow paths read without a lock shares no line with what others write
// often.
enum {
    MHEAP_LINE_READ = offsetof(struct mheap, stats) / 64,
    MHEAP_LINE_TICK = offsetof(struct mheap, tick_ns) / 64,
    MHEAP_LINE_FRESH = offsetof(struct mheap, nfresh) / 64,
    MHEAP_LINE_SHARED = offsetof(struct mheap, shared_cache_bytes) / 64,
    MHEAP_LINE_LOCK = offsetof(struct mheap, lock) / 64,
};
_Static_assert(offsetof(struct mheap, profile_sys) / 64 == MHEAP_LINE_READ &&
                   MHEAP_LINE_READ < MHEAP_LINE_TICK &&
                   MHEAP_LINE_TICK < MHEAP_LINE_FRESH &&
                   MHEAP_LINE_FRESH < MHEAP_LINE_SHARED &&
                   MHEAP_LINE_SHARED < MHEAP_LINE_LOCK,
               "cache lines of struct mheap");

// mheap_start_sampling makes the stores of sampled objects, once. It returns
// false when there is no memory.
bool mheap_start_sampling(struct mheap *h);

// mheap_unused_bytes returns how much fresh memory the heap must touch, without
// a slot taken from a class, for that class to count as unused: a quarter of
// what is in use.
static inline uint64_t mheap_unused_bytes(const struct mheap *h) {
    enum { UNUSED_SHARE = 4 };
    return (__atomic_load_n(&h->stats->inuse_pages, __ATOMIC_RELAXED)
            << PAGE_SHIFT) /
           UNUSED_SHARE;
}

// mheap_is_crowded says whether there ever were many mappings of moved objects.
// Adjacent ones do not merge by themselves, so from then on what is released is
// mapped anew, as one.
static inline bool mheap_is_crowded(const struct mheap *h) {
    return __atomic_load_n(&h->crowded, __ATOMIC_RELAXED);
}

static inline struct mcentral *mheap_sampled(const struct mheap *h) {
    // acquire: sees them initialised; partner: release in mheap_start_sampling
    return atomic_load_explicit(&h->sampled, memory_order_acquire);
}

// All stores, in the order of their locks: mheap_central(0) to
// mheap_central(mheap_ncentrals - 1). The number may rise between calls, unless
// the caller holds the lock of the first.
static inline unsigned mheap_ncentrals(const struct mheap *h) {
    return mheap_sampled(h) == NULL ? NUM_SIZECLASSES : 2 * NUM_SIZECLASSES;
}

static inline struct mcentral *mheap_central(struct mheap *h, unsigned i) {
    return i < NUM_SIZECLASSES ? &h->central[i]
                               : &mheap_sampled(h)[i - NUM_SIZECLASSES];
}

// mheap_next_used returns the lowest number, from i on, of an initialised
// store, or mheap_ncentrals or more. Of an uninitialised store only the lock
// may be used.
static inline unsigned mheap_next_used(const struct mheap *h, unsigned i) {
    for (; i < NUM_SIZECLASSES; i = (i / WORD_BITS + 1) * WORD_BITS) {
        // acquire: sees it initialised; partner: release in mheap_class_slow
        uint64_t word = atomic_load_explicit(&h->used[i / WORD_BITS],
                                             memory_order_acquire) >>
                        i % WORD_BITS;
        if (word != 0)
            return i + (unsigned)__builtin_ctzl(word);
        if (i / WORD_BITS == (NUM_SIZECLASSES - 1) / WORD_BITS)
            return NUM_SIZECLASSES;
    }
    return i;
}

static inline bool mheap_is_used(const struct mheap *h, unsigned i) {
    return mheap_next_used(h, i) == i;
}

// mheap_class returns the store of a class, initialised by the first caller. It may
// take the lock.
struct mcentral *mheap_class_slow(struct mheap *h, unsigned sizeclass);
ALWAYS_INLINE struct mcentral *mheap_class(struct mheap *h,
                                           unsigned sizeclass) {
    uint64_t word = atomic_load_explicit(&h->used[sizeclass / WORD_BITS],
                                         memory_order_acquire); // as above
    if (UNLIKELY(!(word >> sizeclass % WORD_BITS & 1)))
        return mheap_class_slow(h, sizeclass);
    return &h->central[sizeclass];
}

void mheap_init(struct mheap *h, struct heapstats *stats, size_t cache_bytes);

void mheap_report_misuse(struct mheap *h, void *p);

#endif // MOUND_HEAP_MHEAP_H
