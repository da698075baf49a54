// mheap.h: tier 3, the heap of the whole process: pages to spans and back,
// address space from the system, records. See alloc/malloc.c for the tour.
#ifndef MOUND_HEAP_MHEAP_H
#define MOUND_HEAP_MHEAP_H

#include "base/fixalloc.h"
#include "base/mutex.h"
#include "heap/firstpages.h"
#include "heap/heapstats.h"
#include "heap/heldback.h"
#include "heap/holes.h"
#include "heap/mcentral.h"
#include "heap/memlimit.h"
#include "heap/pagecursor.h"
#include "heap/residency.h"
#include "os/helper.h"

enum {
    // Arrays of pointers for magazines: 2^3 to 2^10 pointers.
    SLOTARRAY_MIN_LOG2 = 3,
    SLOTARRAY_MAX_LOG2 = 13,
};

enum {
    // The longest span that is kept whole when it is freed: 1 MiB.
    KEPT_PAGES_MAX = 128,
};

#define SCAVENGE_NEVER UINT64_MAX
#define SCAVENGE_HALF_LIFE_NS ((uint64_t)1000 * 1000 * 1000)

// Places of moved objects: at most so many, a quarter of the mappings that a process can
// have, for each is about two; and they are many from so many on.
enum {
    MHEAP_MOVED_MAX = 1 << 14,
    MHEAP_MOVED_MANY = MHEAP_MOVED_MAX / 2,
};

enum thp_mode { THP_AUTO, THP_NEVER, THP_ALWAYS };

// struct mheap is one heap; all zero but for mheap_init. A process has one, a
// test as many as it likes.
//   (c) constant after mheap_init   (h) lock   (a) atomic, see each use
struct mheap {
    struct pagemap pagemap; // first: malloc.c's fast path reads it

    // Read by slow paths without a lock, and hardly ever written.
    struct heapstats *stats
        CACHELINE_ALIGNED;        // (c) the counters, written under their locks
    _Atomic bool release_refused; // (a) relaxed: madvise is not permitted
    _Atomic bool restless;       // (a) relaxed: there is memory to be returned,
                                 // once it was idle for a while
    _Atomic uint32_t nchecked;   // (a) relaxed: frees that were checked, about;
                                 // it stops at some number
    _Atomic int64_t quiet_pages; // (a) a fork child does not populate or
                                 // release until so many pages were asked

    // misuse reports a pointer that was freed but should not have been. It is
    // handed in from above and may not return. (c)
    void (*misuse)(struct mheap *h, void *p);

    // The stores of sampled objects: of each class one more, whose spans have
    // class byte 0, so that a free of such an object is a slow one and that of any
    // other costs nothing. NULL until mheap_start_sampling. (a)
    struct mcentral *_Atomic sampled;

    // Bit c: central[c] is initialised. Most programs use a third of the classes,
    // and to write to all of them at the start would touch six pages. (a) written
    // under lock
    _Atomic uint64_t used[(NUM_SIZECLASSES + WORD_BITS - 1) / WORD_BITS];

    // Bytes that prof/ took from persistent for its tables, or NULL.
    const _Atomic uint64_t *profile_sys;

    // Written by slow paths without a lock, at different times: a line each.
    _Atomic uint64_t tick_ns
        CACHELINE_ALIGNED;       // (a) relaxed: when slow paths look again
    _Atomic uint64_t tick_ticks; // (a) relaxed: when they last read the clock
    _Atomic uint32_t nfresh
        CACHELINE_ALIGNED;        // (a) relaxed: times fresh memory was needed
    _Atomic uint64_t fresh_bytes; // (a) relaxed: that spans touched first
    struct heldback heldback;     // (a)
    // The budget of all magazines, in bytes of slots they may hold.
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
    size_t address_limit; // (h) RLIMIT_AS of the start, or what a refusal told
    enum thp_mode thp;    // (c) what hugepages.c may do
    bool thp_unasked;     // (c) the kernel uses them without being asked to
    // Of scavenger.c. (c) but for tests
    uint64_t half_life_ns; // of the peak; 0: nothing is kept; or SCAVENGE_NEVER
    bool help_always;      // a helper also where there is one thread
    struct memlimit memlimit;
    bool trace; // a line on stderr for each visit
    // Of hugepages.c: regions that are not filled after the last stall, those of
    // them still to come, regions whose advice was taken back, and stalls ever.
    _Atomic uint32_t skip;      // (a) relaxed
    uint32_t nskip;             // (h)
    size_t nguessed;            // (h) regions: see hugepages_guess_locked
    struct residency residency; // (h)
    uint32_t nforbidden;        // (h)
    uint64_t nstalls;           // (h)
    // (h) Of large.c: places that mremap made mappings of, about, and how many moved
    // objects there are; whether there were many such places (mheap_is_crowded).
    uint32_t nmoved;
    uint32_t nmoved_live;
    bool crowded;
    // (h) Dead spans whose pages were not given back, by npages - 1, the newest
    // first; and how many pages that is. See keep_locked.
    struct mspan *kept[KEPT_PAGES_MAX];
    size_t kept_pages;
    struct firstpages first_pages; // (h) they count as idle

    // The decaying peak that the scavenger keeps pages for; see scavenger.c.
    uint64_t peak_pages; // (h)
    uint64_t peak_ns;    // (h) when it was last looked at
    // (h) Pages with memory that were taken of the free ones, since reuse_ticks
    // and in the window before. See reused_locked.
    int64_t reused_pages;
    int64_t reused_before;
    uint64_t reuse_ticks;
    uint64_t reuse_seen; // when there was such a window, last
    // (h) Pages that went back to the system in the two windows. As many without
    // memory that are taken meanwhile count as reused: they would have been.
    uint64_t given_pages;
    uint64_t given_before;

    struct mutex scavenger CACHELINE_ALIGNED; // rank LOCKRANK_SCAVENGER
    struct helper helper; // (a) runs while there is something to return
    // Of the scavenger: whether one thread is at it, and what that one alone uses.
    _Atomic bool scavenging;     // (a) acquire when taken, release when given
    _Atomic unsigned collect_at; // (a) relaxed: the class to begin with
    uint32_t nrefused;           // releases refused since one was not
    struct pagecursor sweep;     // (h)
    size_t sweep_min;            // (h) pages of the runs of this sweep
    uint64_t short_ticks;        // (h) when a free gave back short runs, last
    struct holes holes;
    _Atomic bool holes_first; // (a) relaxed: whose turn it is
    _Atomic bool trades;      // (a) relaxed: fresh memory is traded for holes,
    _Atomic uint64_t trades_from; // (a) relaxed: as of these fresh_bytes
    _Atomic size_t trade_owed;    // (a) relaxed: and not yet, in bytes
    // (a) relaxed: bytes of holes given back and used again, halved at each walk.
    _Atomic uint64_t holes_given;
    _Atomic uint64_t holes_regained;
    _Atomic uint8_t holes_left; // (a) relaxed: as holes_left said last

    struct mcentral central[NUM_SIZECLASSES]; // see mheap_class
};

// What slow paths read without a lock is on no line that others write to often.
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

// mheap_unused_bytes returns how much memory the heap has to touch for the first time
// until a class that nobody took from meanwhile counts as out of use: a quarter of what
// is in use.
static inline uint64_t mheap_unused_bytes(const struct mheap *h) {
    enum { UNUSED_SHARE = 4 };
    return (__atomic_load_n(&h->stats->inuse_pages, __ATOMIC_RELAXED)
            << PAGE_SHIFT) /
           UNUSED_SHARE;
}

// mheap_is_crowded says whether there were many mappings of moved objects, once. Such as
// lie side by side do not become one by themselves, so from then on what is given back
// is mapped anew, as one.
static inline bool mheap_is_crowded(const struct mheap *h) {
    return __atomic_load_n(&h->crowded, __ATOMIC_RELAXED);
}

// mheap_count_moved_locked counts n places of moved objects more. Caller holds lock.
void mheap_count_moved_locked(struct mheap *h, int n);

static inline struct mcentral *mheap_sampled(const struct mheap *h) {
    // acquire: sees them initialised; partner: release in mheap_start_sampling
    return atomic_load_explicit(&h->sampled, memory_order_acquire);
}

// All stores there are, in the order of their locks: mheap_central of 0 to
// mheap_ncentrals - 1. The number may rise from one call to the next, but for who
// holds the lock of the first.
static inline unsigned mheap_ncentrals(const struct mheap *h) {
    return mheap_sampled(h) == NULL ? NUM_SIZECLASSES : 2 * NUM_SIZECLASSES;
}

static inline struct mcentral *mheap_central(struct mheap *h, unsigned i) {
    return i < NUM_SIZECLASSES ? &h->central[i]
                               : &mheap_sampled(h)[i - NUM_SIZECLASSES];
}

// mheap_next_used returns the lowest number from i on of a store that is
// initialised; those from mheap_ncentrals on are none. Of the others only the lock
// may be used, which is free.
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

// mheap_class returns the store of a class, initialised by whoever is first. It may
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

// mheap_alloc_spans makes up to want spans of npages for a class and returns
// how many, 0 when there is no memory. They are in the caller's hands until
// mheap_publish_small. want is at most 256 KiB of pages.
size_t mheap_alloc_spans(struct mheap *h, unsigned sizeclass, size_t npages,
                         size_t want, struct mspan **ret);

// mheap_publish_small lets frees find a span. Caller holds the class's lock.
void mheap_publish_small(struct mheap *h, struct mspan *s,
                         struct mcentral *home);

// mheap_alloc_large returns a span of one object of npages, aligned to align
// pages (a power of two), counted as a malloc; or NULL. may_reserve says whether
// address space may be asked of the system for it.
struct mspan *mheap_alloc_large(struct mheap *h, size_t npages, size_t align,
                                bool may_reserve);

// mheap_alloc_large_moved is the same for an object that is about to be moved
// there with the memory behind its nmoved pages.
struct mspan *mheap_alloc_large_moved(struct mheap *h, size_t npages,
                                      size_t nmoved);

// mheap_may_find says whether npages can come of what the heap has, if caches and
// stores give up what they hold: for a request that is larger than the heap, or
// than all memory there is to be, they are not bothered.
bool mheap_may_find(struct mheap *h, size_t npages);

// mheap_free_large gives a large object back. It returns false, with nothing
// changed, if s is not a live large span that begins at addr (a double free
// that lost a race, say). scavenged says that no memory stands behind it.
// *ret_sample, unless NULL, is what prof/ knew of the object.
bool mheap_free_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      bool scavenged, void **ret_sample);

// mheap_keep_large makes a large object one that was freed and is kept, for a
// quarantine. It returns false, with nothing changed, where mheap_free_large would.
bool mheap_keep_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      void **ret_sample);

// mheap_free_kept gives back a large object that a thread's cache or a quarantine
// kept.
void mheap_free_kept(struct mheap *h, struct mspan *s, bool scavenged);

// mheap_abandon_large takes back a large object that was never handed out, and
// the malloc counted for it.
void mheap_abandon_large(struct mheap *h, struct mspan *s);

// mheap_lose_large is the same for one whose pages are not the heap's any more.
void mheap_lose_large(struct mheap *h, struct mspan *s);

// mheap_resize_large grows or shrinks a large object where it is. It returns
// false, with nothing changed, when the pages behind it are taken.
bool mheap_resize_large(struct mheap *h, struct mspan *s, size_t npages);

// mheap_free_span returns the pages and the record of a span whose state is
// MSPAN_DEAD already. Pages above the keep go back to the system at once.
void mheap_free_span(struct mheap *h, struct mspan *s);

// mheap_take_back makes free pages of some of what the stores of the classes hold back:
// see heldback.h. Caches give their share when they see that nfresh has risen.
void mheap_take_back(struct mheap *h);

// mheap_drop_kept gives the pages of some kept spans back to the page allocator,
// but for the first pages of large objects, and says whether there were any.
// mheap_drop_held gives back those of all, and first pages, too.
bool mheap_drop_kept(struct mheap *h);
void mheap_drop_held(struct mheap *h);

// mheap_alloc_slotarray returns an array of 1 << log2 pointers, or NULL.
void **mheap_alloc_slotarray(struct mheap *h, unsigned log2);
void mheap_free_slotarray(struct mheap *h, void **array, unsigned log2);

// struct slotarrays is some such arrays, by size, to be given back under one lock.
struct slotarrays {
    bool any;
    void **first[SLOTARRAY_MAX_LOG2 + 1];
};
static inline void slotarrays_add(struct slotarrays *some, void **array,
                                  unsigned log2) {
    array[0] = some->first[log2];
    some->first[log2] = array;
    some->any = true;
}
void mheap_free_slotarrays(struct mheap *h, struct slotarrays *some);

void mheap_report_misuse(struct mheap *h, void *p);

// mheap_for_each_span calls visit for every live span. Caller holds lock.
void mheap_for_each_span_locked(struct mheap *h,
                                void (*visit)(struct mspan *s, void *arg),
                                void *arg);

// mheap_span_containing finds the live span that addr lies in, by a walk over
// all of them if the page map does not know. For reports.
struct mspan *mheap_span_containing(struct mheap *h, uintptr_t addr);

// mheap_page_is_free says whether addr is in a page of the heap that no live span
// has. For reports.
bool mheap_page_is_free(struct mheap *h, uintptr_t addr);

// mheap_repair frees every lock of the heap and rebuilds what a lock that was
// held may have left half changed, from the bitmaps. For a process that was made
// by a fork without handlers; its only thread calls it. What was on its way
// between two records is leaked. ret_rebuilt says for which classes a magazine
// may be half changed as well: their locks were held.
void mheap_repair(struct mheap *h, bool ret_rebuilt[NUM_SIZECLASSES]);

// mheap_verify walks everything below the caches and returns the number of
// contradictions. It takes the locks itself, one class after the other.
unsigned mheap_verify(struct mheap *h);

#endif // MOUND_HEAP_MHEAP_H
