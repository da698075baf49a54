// mheap.c: see mheap.h, and alloc/malloc.c for the tour.
//
// Growing and populating. Address space is reserved in large pieces, committed
// as needed, and made Ready (populated) ahead of use: by regions of huge pages
// (hugepages.c), and where there are none in steps of 1/64 of what is in use. The
// pages ahead are allocated while they are populated, without the lock, and
// become free and backed afterwards; address-ordered first fit hands them out
// next. Of large objects only the region that some of them end in is populated: how
// much of one will be touched is not known.
#include "heap/mheap.h"

#include <string.h>

#include "heap/hugepages.h"
#include "heap/scavenger.h"
#include "os/mem.h"
#include "os/sys.h"

enum {
    RESERVE_MIN = 8 << 20,    // a piece of address space: as much as there
    RESERVE_MAX = 64 << 20,   // is already, within these bounds, or 1/16 of it:
    RESERVE_SHARE = 16,       // each becomes a mapping of the kernel's
    RESERVE_LIMIT_SHARE = 32, // or 1/32 of RLIMIT_AS
    COMMIT_GRAIN = 64 << 10,  // the largest page of any system
    COMMIT_MIN = 256 << 10,
    COMMIT_MAX = 4 << 20,
    COMMIT_SHARE = 8,
    POPULATE_MIN = 16 << 10,
    POPULATE_MAX = 4 << 20,
    POPULATE_SHARE = 64,
    KEEP_MIN_PAGES = (16 << 20) / PAGE_SIZE,  // of all kept spans together; or
    KEEP_SHARE = 16,                          // 1/16 of what is in use
    KEEP_LARGE_PAGES = (2 << 20) / PAGE_SIZE, // with those above
    KEEP_SMALL_PAGES = 8,                     // so many
    LOOK_CHUNKS = 64,                         // for a run with memory
    DROP_SPANS = 256,                         // dropped under one lock
    FIRST_PAGES = 8,                          // of large objects, held;
    FIRST_SHARE = 64,                         // and 1/64 of what is in use
};

void mheap_init(struct mheap *h, struct heapstats *stats, size_t cache_bytes) {
    mutex_init(&h->lock, LOCKRANK_MHEAP);
    mutex_init(&h->scavenger, LOCKRANK_SCAVENGER);
    persistent_init(&h->persistent);
    pagealloc_init(&h->pages, &h->pagemap, &h->persistent);
    h->pages.now = scavenger_age(sys_now_ns());
    h->reuse_ticks = sys_ticks();
    fixalloc_init(&h->small_spans, &h->persistent,
                  mspan_record_bytes(MSPAN_SMALL_WORDS));
    fixalloc_init(&h->large_spans, &h->persistent,
                  mspan_record_bytes(MSPAN_WORDS));
    fixalloc_init(&h->caches, &h->persistent, cache_bytes);
    h->stats = stats;
    h->half_life_ns = SCAVENGE_HALF_LIFE_NS;
    h->address_limit = sys_address_limit();
    stats->version = HEAPSTATS_VERSION;
    stats->nbytes = sizeof *stats;
    stats->nclasses = NUM_SIZECLASSES;
    stats->page_bytes = PAGE_SIZE;
    mheap_class_slow(h, 0); // its lock is taken without looking
    stats->magic = HEAPSTATS_MAGIC;
}

COLD struct mcentral *mheap_class_slow(struct mheap *h, unsigned sizeclass) {
    struct mcentral *mc = &h->central[sizeclass];
    _Atomic uint64_t *word = &h->used[sizeclass / WORD_BITS];
    uint64_t bit = (uint64_t)1 << sizeclass % WORD_BITS;
    mutex_lock(&h->lock);
    uint64_t used = atomic_load_explicit(word, memory_order_relaxed);
    if (!(used & bit)) {
        mcentral_init(mc, h, &h->stats->classes[sizeclass], sizeclass);
        // release: partner in mheap_class
        atomic_store_explicit(word, used | bit, memory_order_release);
    }
    mutex_unlock(&h->lock);
    return mc;
}

bool mheap_start_sampling(struct mheap *h) {
    size_t nbytes = NUM_SIZECLASSES * sizeof(struct mcentral);
    mutex_lock(&h->central[0].lock); // nobody may begin to take them all
    struct mcentral *sampled = mheap_sampled(h);
    if (sampled == NULL) {
        sampled = persistentalloc(&h->persistent, nbytes,
                                  _Alignof(struct mcentral), &h->other_sys);
        for (unsigned c = 0; sampled != NULL && c < NUM_SIZECLASSES; c++) {
            mcentral_init(&sampled[c], h, &h->stats->sampled[c], c);
            sampled[c].sampled = true;
        }
        // release: partner in mheap_sampled
        atomic_store_explicit(&h->sampled, sampled, memory_order_release);
    }
    mutex_unlock(&h->central[0].lock);
    return sampled != NULL;
}

void mheap_report_misuse(struct mheap *h, void *p) {
    h->misuse(h, p);
}

// note_pages brings the counters up to date after pages came or went.
static void note_pages(struct mheap *h, int64_t inuse) {
    struct heapstats *st = h->stats;
    // Atomic for cachebudget_limit, which reads it without the lock.
    __atomic_store_n(&st->inuse_pages, st->inuse_pages + (uint64_t)inuse,
                     __ATOMIC_RELAXED);
    st->free_pages = h->pages.nbacked;
    st->released_pages = h->pages.nfree - h->pages.nbacked;
    if (st->inuse_pages > h->peak_pages)
        h->peak_pages = st->inuse_pages;
    memlimit_note_locked(h);
}

// commit makes nbytes of the reservation usable and free.
static bool commit_locked(struct mheap *h, size_t nbytes) {
    if (!mem_commit(h->reserved_next, nbytes))
        return false;
    pagealloc_free(&h->pages, h->reserved_next, nbytes >> PAGE_SHIFT,
                   /* scavenged= */ true);
    h->reserved_next += nbytes;
    h->stats->sys_pages += nbytes >> PAGE_SHIFT;
    note_pages(h, 0);
    return true;
}

// use_up_reserved_locked makes what is left of the reservation free pages, or
// gives it back, so that another can take its place.
static void use_up_reserved_locked(struct mheap *h) {
    size_t left = h->reserved_end - h->reserved_next;
    if (left > 0 && !commit_locked(h, left))
        mem_unreserve(h->reserved_next, left);
    h->reserved_next = h->reserved_end = 0;
}

// reserve_piece_locked makes size bytes of new address space the reservation.
static bool reserve_piece_locked(struct mheap *h, size_t size, size_t align) {
    // Just below the last piece, runs of free pages can span both.
    uintptr_t hint = h->reserved_low > size ? h->reserved_low - size : 0;
    uintptr_t addr = mem_reserve(hint, size, align);
    if (addr == 0)
        return false;
    if (!pagealloc_cover(&h->pages, addr, size)) {
        mem_unreserve(addr, size);
        return false;
    }
    use_up_reserved_locked(h);
    h->reserved_next = addr;
    h->reserved_end = addr + size;
    if (h->reserved_low == 0 || addr < h->reserved_low)
        h->reserved_low = addr;
    return true;
}

// can_be_had says whether the system would commit so much, before metadata is
// made for it: reserving alone it grants nearly always.
static bool can_be_had(size_t nbytes) {
    static const size_t HUGE_REQUEST = (size_t)1 << 30;
    return nbytes < HUGE_REQUEST || mem_could_map(nbytes);
}

// reserve_locked gets address space of at least nbytes. Pieces halve when the
// system refuses; under a limit they are a small share of it from the start,
// since the program needs addresses too.
static bool reserve_locked(struct mheap *h, size_t nbytes) {
    if (!can_be_had(nbytes))
        return false;
    size_t limit = h->address_limit;
    size_t sys = h->stats->sys_pages << PAGE_SHIFT;
    size_t piece =
        align_down(clamp_size(sys, RESERVE_MIN,
                              max_size(RESERVE_MAX, sys / RESERVE_SHARE)),
                   HUGE_BYTES);
    if (limit != SIZE_MAX)
        piece = min_size(piece,
                         align_down(limit / RESERVE_LIMIT_SHARE, COMMIT_GRAIN));
    size_t want = max_size(nbytes, piece);
    for (bool first = true;; first = false) {
        // Whole huge pages, also in size: or the next piece could not be just
        // below. The last attempt asks for no more than it must.
        size_t size = want;
        size_t align = COMMIT_GRAIN;
        if (want >= HUGE_BYTES && limit == SIZE_MAX &&
            (first || want > nbytes)) {
            size = align_up(want, HUGE_BYTES);
            align = HUGE_BYTES;
        }
        if (reserve_piece_locked(h, size, align))
            return true;
        if (want == nbytes && (!first || size == want))
            return false;
        // A limit that came after the start is known by what it refuses.
        size_t have = h->stats->sys_pages << PAGE_SHIFT;
        h->address_limit = min_size(h->address_limit, have + size);
        want = max_size(nbytes, align_down(want / 2, COMMIT_GRAIN));
    }
}

// grow_locked makes at least npages free in one run, which may begin with free
// pages just before the committed end. Both system calls are made under the
// lock: else every thread that finds no page would grow the heap.
static bool grow_locked(struct mheap *h, size_t npages, bool may_reserve) {
    size_t need = align_up(npages << PAGE_SHIFT, COMMIT_GRAIN);
    if (h->reserved_end - h->reserved_next < need &&
        !(may_reserve && reserve_locked(h, need)))
        return false;
    size_t inuse = h->stats->inuse_pages << PAGE_SHIFT;
    size_t step = clamp_size(align_down(inuse / COMMIT_SHARE, COMMIT_GRAIN),
                             COMMIT_MIN, COMMIT_MAX);
    size_t want = max_size(need, step);
    if (hugepages_growing_locked(h))
        want = align_up(h->reserved_next + want, HUGE_BYTES) - h->reserved_next;
    want = min_size(want, h->reserved_end - h->reserved_next);
    return commit_locked(h, want) || (want > need && commit_locked(h, need));
}

// populate_step returns how many pages to make Ready at once, or 0: a small heap
// touches few of the pages of its first spans.
static size_t populate_step(const struct mheap *h) {
    size_t inuse = h->stats->inuse_pages << PAGE_SHIFT;
    size_t step = min_size(inuse / POPULATE_SHARE, POPULATE_MAX);
    if (memlimit_near_locked(h))
        return 0;
    return step < POPULATE_MIN ? 0 : step >> PAGE_SHIFT;
}

// struct run is a run of pages on its way from pagealloc to a span.
struct run {
    uintptr_t addr; // 0: none
    size_t npages;
    size_t nscavenged; // pages of it without memory
    size_t nahead;     // pages behind it, to be populated and freed
    size_t npopulate;  // pages to populate: the first, or those before nahead
    bool fills;        // a region of huge pages
    size_t nguessed; // regions that begin in it, as hugepages_guess_locked says
};

// plan_fill_locked has a run fill the region of huge pages that it begins, if it
// does.
static bool plan_fill_locked(struct mheap *h, struct run *run) {
    uintptr_t end = run->addr + (run->npages << PAGE_SHIFT);
    uintptr_t first = align_up(run->addr, HUGE_BYTES);
    if (first >= end || run->nscavenged < (end - first) >> PAGE_SHIFT ||
        !hugepages_ahead_locked(h, run->addr, run->npages, &run->nahead))
        return false;
    run->npopulate = (end - first) >> PAGE_SHIFT;
    run->fills = true;
    return true;
}

// plan_guess_locked does so for a large object that takes memory from the system, as far
// as may be guessed: the kernel fills regions that are its own at their first touch, and
// the one that it ends in, where others will be, is filled now if it has no memory.
static void plan_guess_locked(struct mheap *h, struct run *run) {
    uintptr_t end = run->addr + (run->npages << PAGE_SHIFT);
    uintptr_t first = align_up(run->addr, HUGE_BYTES);
    uintptr_t last = align_down(end, HUGE_BYTES);
    if (first >= end || !hugepages_growing_locked(h))
        return;
    run->nguessed = hugepages_guess_locked(h, first, end, run->npages);
    bool fresh = run->nscavenged >= (end - first) >> PAGE_SHIFT;
    if (fresh && last < end && run->nguessed > (last - first) / HUGE_BYTES &&
        hugepages_ahead_locked(h, last, (end - last) >> PAGE_SHIFT,
                               &run->nahead)) {
        run->npopulate = (end - last) >> PAGE_SHIFT;
        run->fills = true;
    }
}

// wished_pages returns how many pages of a run come before the end of what is guessed.
static size_t wished_pages(const struct run *run) {
    uintptr_t end =
        align_up(run->addr, HUGE_BYTES) + run->nguessed * HUGE_BYTES;
    return (end - run->addr) >> PAGE_SHIFT;
}

// is_quiet_locked says whether this is a child of fork that is left alone, and
// counts what it has got.
static bool is_quiet_locked(struct mheap *h, const struct run *run) {
    int64_t quiet = atomic_load_explicit(&h->quiet_pages, memory_order_relaxed);
    if (quiet <= 0)
        return false;
    atomic_store_explicit(&h->quiet_pages, quiet - (int64_t)run->npages,
                          memory_order_relaxed);
    return true;
}

// plan_populate_locked decides how much of a run is populated and how far ahead.
static void plan_populate_locked(struct mheap *h, struct run *run) {
    if (run->nscavenged == 0 || is_quiet_locked(h, run) ||
        plan_fill_locked(h, run))
        return;
    size_t step = populate_step(h);
    run->npopulate = min_size(run->npages, step);
    if (run->npages >= step)
        return;
    uintptr_t behind = run->addr + (run->npages << PAGE_SHIFT);
    size_t ahead =
        pagealloc_unbacked_run(&h->pages, behind, step - run->npages);
    size_t nscavenged;
    if (ahead > 0 && pagealloc_alloc_at(&h->pages, behind, ahead, &nscavenged))
        run->nahead = ahead;
}

// populate does what was planned, without the lock.
static void populate(struct mheap *h, struct run *run) {
    if (run->npopulate == 0)
        return;
    uintptr_t end = run->addr + (run->npages << PAGE_SHIFT);
    uintptr_t start =
        run->fills ? end - (run->npopulate << PAGE_SHIFT) : run->addr;
    bool ok = hugepages_populate(h, start, run->npopulate + run->nahead);
    if (run->nahead == 0)
        return;
    mutex_lock(&h->lock);
    pagealloc_free(&h->pages, end, run->nahead, /* scavenged= */ !ok);
    note_pages(h, 0);
    h->reused_pages -= (int64_t)run->nahead; // the first use is still to come
    // It is for the growth to come, and kept as if it had been in use.
    h->peak_pages =
        max_size(h->peak_pages, h->stats->inuse_pages + run->nahead);
    mutex_unlock(&h->lock);
}

static struct fixalloc *records_for(struct mheap *h, unsigned nelems) {
    return nelems <= MSPAN_SMALL_WORDS * WORD_BITS ? &h->small_spans
                                                   : &h->large_spans;
}

// feed_records_locked turns free pages of the heap into memory for records. At a
// limit (RLIMIT_AS, RLIMIT_DATA) the heap may have taken all there was; without
// a record its free pages could serve nobody.
static bool feed_records_locked(struct mheap *h) {
    enum { FEED_PAGES = 4 }; // two chunks of records
    size_t nscavenged;
    uintptr_t addr = pagealloc_alloc(&h->pages, FEED_PAGES, 1, &nscavenged);
    if (addr == 0)
        return false;
    memset((void *)addr, 0, FEED_PAGES << PAGE_SHIFT);
    h->stats->sys_pages -= FEED_PAGES; // they are records now, no heap
    note_pages(h, 0);
    persistent_feed(&h->persistent, (void *)addr, FEED_PAGES << PAGE_SHIFT);
    return true;
}

static struct mspan *alloc_record_locked(struct mheap *h, unsigned nelems) {
    struct fixalloc *records = records_for(h, nelems);
    struct mspan *s = fixalloc_alloc(records);
    if (s == NULL && feed_records_locked(h))
        s = fixalloc_alloc(records);
    if (s != NULL) {
        s->nwords =
            records == &h->small_spans ? MSPAN_SMALL_WORDS : MSPAN_WORDS;
        list_init(&s->link);
    }
    return s;
}

static void free_record_locked(struct mheap *h, struct mspan *s) {
    fixalloc_free(
        s->nwords == MSPAN_SMALL_WORDS ? &h->small_spans : &h->large_spans, s);
}

// next_kept is the link of a kept span to the one that was kept before it. A dead
// span is in no list of mcentral.
static struct mspan **next_kept(struct mspan *s) {
    return (struct mspan **)&s->link.next;
}

// free_small_pages_locked gives the pages of a dead small span back. Those of which
// every part was released have no memory; what was of others is forgotten.
static void free_small_pages_locked(struct mheap *h, struct mspan *s) {
    size_t nparts = s->released != 0 ? PAGE_SIZE / sys_page_size() : 0;
    uint32_t parts = (uint32_t)word_range(0, (unsigned)nparts);
    for (size_t i = 0, n; i < s->npages; i += n) {
        bool gone = false;
        for (n = 0; i + n < s->npages; n++) {
            bool here = nparts != 0 &&
                        (s->released >> (i + n) * nparts & parts) == parts;
            if (n > 0 && here != gone)
                break;
            gone = here;
        }
        pagealloc_free(&h->pages, mspan_start(s) + (i << PAGE_SHIFT), n, gone);
    }
    s->released = 0;
}

// free_pages_locked gives the pages of a dead span back. The first page of a
// large object is held for a while; see firstpages.h.
static void free_pages_locked(struct mheap *h, struct mspan *s,
                              bool scavenged) {
    if (s->sizeclass != 0) {
        free_small_pages_locked(h, s);
        return;
    }
    firstpages_free(&h->first_pages, &h->pages, mspan_start(s), s->npages,
                    scavenged);
    firstpages_trim(&h->first_pages, &h->pages,
                    FIRST_PAGES + h->stats->inuse_pages / FIRST_SHARE);
}

// drop_kept_locked gives the pages of up to DROP_SPANS kept spans back to the page
// allocator, and says whether there were any.
static bool drop_kept_locked(struct mheap *h) {
    unsigned left = DROP_SPANS;
    for (int i = 0; i < KEPT_PAGES_MAX && h->kept_pages > 0; i++)
        while (h->kept[i] != NULL && left > 0) {
            struct mspan *s = h->kept[i];
            h->kept[i] = *next_kept(s);
            h->kept_pages -= s->npages;
            free_pages_locked(h, s, /* scavenged= */ false);
            free_record_locked(h, s);
            left--;
        }
    if (left == DROP_SPANS)
        return false;
    note_pages(h, 0);
    return true;
}

// drop_held_locked drops what is kept, and first pages as well: for a large
// object, which a second free of an earlier one there cannot be told from, or
// when there is no other page.
static bool drop_held_locked(struct mheap *h) {
    bool any = drop_kept_locked(h);
    if (firstpages_trim(&h->first_pages, &h->pages, 0)) {
        note_pages(h, 0);
        any = true;
    }
    return any;
}

bool mheap_drop_kept(struct mheap *h) {
    mutex_lock(&h->lock);
    bool any = drop_kept_locked(h);
    mutex_unlock(&h->lock);
    return any;
}

void mheap_drop_held(struct mheap *h) {
    for (bool any = true; any;) {
        mutex_lock(&h->lock);
        any = drop_held_locked(h);
        mutex_unlock(&h->lock);
    }
}

// keep_locked keeps a dead span instead of giving its pages back, if it may: a
// buffer that is made and dropped in turn, or a class that lives from one span to
// the next, then costs no two updates of the bitmaps. No memory is touched for
// the first time while kept pages could do (find_run_locked). They count as
// idle. Returns false if it was not kept.
static bool keep_locked(struct mheap *h, struct mspan *s) {
    size_t most = max_size(KEEP_MIN_PAGES, h->stats->inuse_pages / KEEP_SHARE);
    size_t npages = s->npages;
    // Of large objects few sizes repeat, and first fit packs them better: but where
    // memory is used again all the time, so are they.
    if (npages > KEEP_SMALL_PAGES && !scavenger_reuses_locked(h))
        most = KEEP_LARGE_PAGES;
    if (h->half_life_ns == 0 || memlimit_near_locked(h) ||
        npages > KEPT_PAGES_MAX || h->kept_pages + npages > most)
        return false;
    *next_kept(s) = h->kept[npages - 1];
    h->kept[npages - 1] = s;
    h->kept_pages += npages;
    scavenger_look_after_locked(h);
    return true;
}

// use_kept_locked returns a kept span of npages with bits for nelems slots, or
// NULL. What was a large object is one again, or none (firstpages.h).
static struct mspan *use_kept_locked(struct mheap *h, size_t npages,
                                     unsigned nelems, bool large) {
    if (npages > KEPT_PAGES_MAX)
        return NULL;
    struct mspan *s = h->kept[npages - 1];
    if (s == NULL || nelems > s->nwords * (unsigned)WORD_BITS ||
        (s->sizeclass == 0 && !large))
        return NULL;
    h->kept[npages - 1] = *next_kept(s);
    h->kept_pages -= npages;
    h->reused_pages += (int64_t)npages;
    list_init(&s->link);
    note_pages(h, (int64_t)npages);
    return s;
}

// may_find_locked: see mheap_may_find. At a limit a heap that gives back addresses
// can make room for more than it had.
static bool may_find_locked(const struct mheap *h, size_t npages) {
    size_t most = h->address_limit != SIZE_MAX ? h->address_limit >> PAGE_SHIFT
                                               : h->stats->sys_pages;
    return npages <= most;
}

bool mheap_may_find(struct mheap *h, size_t npages) {
    mutex_lock(&h->lock);
    bool may = may_find_locked(h, npages);
    mutex_unlock(&h->lock);
    return may;
}

// note_reuse_locked counts what of a run is used again, or would be if it had not been
// given back a moment ago.
static void note_reuse_locked(struct mheap *h, const struct run *run) {
    uint64_t given = h->given_before + h->given_pages;
    uint64_t n = min_size(run->nscavenged, given);
    uint64_t before = min_size(n, h->given_before);
    h->given_before -= before;
    h->given_pages -= n - before;
    h->reused_pages += (int64_t)(run->npages - run->nscavenged + n);
}

// enum source says where the pages of a new span may come from.
enum source { BACKED, FRESH, RESERVED };

// find_run_locked takes pages. From BACKED, only such as have memory; FRESH, any
// that are free, and the heap may grow; RESERVED, also by new address space.
static struct run find_run_locked(struct mheap *h, size_t npages, size_t align,
                                  enum source source, bool large) {
    struct run run = {.npages = npages};
    run.addr = pagealloc_alloc(&h->pages, npages, align, &run.nscavenged);
    bool fresh = run.addr == 0 || run.nscavenged == npages;
    if (fresh && may_find_locked(h, npages) &&
        (h->kept_pages > 0 || (large && h->first_pages.n > 0))) {
        if (run.addr != 0)
            pagealloc_free(&h->pages, run.addr, npages, /* scavenged= */ true);
        if (large)
            drop_held_locked(h);
        else
            drop_kept_locked(h);
        run.addr = pagealloc_alloc(&h->pages, npages, align, &run.nscavenged);
        fresh = run.addr == 0 || run.nscavenged == npages;
    }
    if (fresh && source == BACKED) {
        // First fit found none with memory; there may be one that lies higher.
        if (run.addr != 0)
            pagealloc_free(&h->pages, run.addr, npages, /* scavenged= */ true);
        run.addr = 0;
        if (align == 1 && npages <= CHUNK_PAGES)
            run.addr = pagealloc_alloc_backed(&h->pages, npages, LOOK_CHUNKS);
        run.nscavenged = 0;
        if (run.addr == 0)
            return run;
    }
    if (run.addr == 0 && grow_locked(h, npages + align - 1, source == RESERVED))
        run.addr = pagealloc_alloc(&h->pages, npages, align, &run.nscavenged);
    if (run.addr == 0 && source == RESERVED && drop_held_locked(h))
        run.addr = pagealloc_alloc(&h->pages, npages, align, &run.nscavenged);
    if (run.addr != 0) {
        note_reuse_locked(h, &run);
        note_pages(h, (int64_t)npages);
    }
    return run;
}

static void free_run_locked(struct mheap *h, struct run *run) {
    if (run->nahead > 0)
        pagealloc_free(&h->pages, run->addr + (run->npages << PAGE_SHIFT),
                       run->nahead, /* scavenged= */ true);
    // What of it was scavenged is forgotten: it counts as backed, at the price
    // of one needless madvise.
    pagealloc_free(&h->pages, run->addr, run->npages, /* scavenged= */ false);
    note_pages(h, -(int64_t)run->npages);
}

void mheap_take_back(struct mheap *h) {
    struct heldback *hb = &h->heldback;
    atomic_fetch_add_explicit(&h->nfresh, 1, memory_order_relaxed);
    unsigned at = atomic_load_explicit(&hb->at, memory_order_relaxed);
    for (int left = HELDBACK_STEPS; left > 0; left--) {
        unsigned i = heldback_next(hb, at);
        if (i == HELDBACK_NONE)
            return;
        mcentral_drain_held(mheap_central(h, i));
        at = i + 1; // each in turn: some may be filled as fast
    }
    atomic_store_explicit(&hb->at, at, memory_order_relaxed);
}

// find_spans_locked takes a run for *want spans of npages, or for fewer where so long
// a run is not to be had, and writes how many.
static struct run find_spans_locked(struct mheap *h, size_t npages,
                                    size_t *want, enum source source) {
    struct run run = {0};
    for (size_t n = *want; n > 0 && run.addr == 0; n /= 2) {
        run = find_run_locked(h, npages * n, 1, source, /* large= */ false);
        if (run.addr != 0)
            *want = n;
    }
    return run;
}

size_t mheap_alloc_spans(struct mheap *h, unsigned sizeclass, size_t npages,
                         size_t want, struct mspan **ret) {
    unsigned nelems =
        (unsigned)((npages << PAGE_SHIFT) / sizeclass_bytes[sizeclass]);
    struct run run = {0};
    size_t n = 0;
    mutex_lock(&h->lock);
    if (want == 1) {
        ret[0] = use_kept_locked(h, npages, nelems, /* large= */ false);
        if (ret[0] != NULL) {
            run = (struct run){.addr = mspan_start(ret[0]), .npages = npages};
            n = 1;
            goto out;
        }
    }
    run = find_spans_locked(h, npages, &want, BACKED);
    if (run.addr == 0) {
        // What is idle elsewhere is taken before fresh memory is touched.
        mutex_unlock(&h->lock);
        mheap_take_back(h);
        mutex_lock(&h->lock);
        run = find_spans_locked(h, npages, &want, BACKED);
    }
    if (run.addr == 0)
        run = find_spans_locked(h, npages, &want, RESERVED);
    if (run.addr == 0)
        goto out;
    for (; n < want; n++) {
        ret[n] = alloc_record_locked(h, nelems);
        if (ret[n] == NULL)
            break;
    }
    if (n < want) { // no memory for records: make do with those there are
        struct run rest = {.addr = run.addr + (n * npages << PAGE_SHIFT),
                           .npages = (want - n) * npages};
        free_run_locked(h, &rest);
        run.npages = n * npages;
        run.nscavenged = min_size(run.nscavenged, run.npages);
        if (n == 0)
            goto out;
    }
    hugepages_small_locked(h, run.addr, run.npages);
    plan_populate_locked(h, &run);
out:
    mutex_unlock(&h->lock);
    if (n == 0)
        return 0;
    populate(h, &run);
    scavenger_trade_holes(
        h, max_size(run.npopulate + run.nahead, run.nscavenged) << PAGE_SHIFT);
    for (size_t i = 0; i < n; i++) {
        uintptr_t start = run.addr + (i * npages << PAGE_SHIFT);
        mspan_init_slots(ret[i], start, npages, sizeclass);
        ret[i]->needzero = run.nscavenged < run.npages;
    }
    return n;
}

void mheap_publish_small(struct mheap *h, struct mspan *s,
                         struct mcentral *home) {
    atomic_store_explicit(&s->home, home, memory_order_relaxed);
    // release: partner in mspan_state
    atomic_store_explicit(&s->state, MSPAN_SMALL, memory_order_release);
    pagemap_set(&h->pagemap, s);
}

// give_back_addresses_locked unmaps free pages, for a request that found no run
// and no address space at a limit: pieces of the heap that do not lie side by
// side cannot serve it. It returns false if there were none.
static bool give_back_addresses_locked(struct mheap *h) {
    size_t min_pages = COMMIT_GRAIN >> PAGE_SHIFT;
    uintptr_t from = 0;
    size_t given = 0;
    size_t npages;
    uintptr_t addr;
    while ((addr = pagealloc_take_run(&h->pages, from, min_pages, &npages)) !=
           0) {
        from = addr + (npages << PAGE_SHIFT);
        uintptr_t start = align_up(addr, sys_page_size());
        uintptr_t end = align_down(from, sys_page_size());
        if (start > addr)
            pagealloc_free(&h->pages, addr, (start - addr) >> PAGE_SHIFT,
                           /* scavenged= */ false);
        if (end < from)
            pagealloc_free(&h->pages, end, (from - end) >> PAGE_SHIFT,
                           /* scavenged= */ false);
        // The run is taken: nobody else has it while the lock is free.
        mutex_unlock(&h->lock);
        bool ok = mem_unmap(start, end - start);
        mutex_lock(&h->lock);
        size_t n = (end - start) >> PAGE_SHIFT;
        if (ok) {
            hugepages_unmapped_locked(h, start, n);
            h->stats->sys_pages -= n;
            given += n;
        } else {
            pagealloc_free(&h->pages, start, n, /* scavenged= */ false);
        }
    }
    note_pages(h, 0);
    return given > 0;
}

// find_large_run_locked is find_run_locked for one object. It lets go of the lock
// where other stores are asked first.
static struct run find_large_run_locked(struct mheap *h, size_t npages,
                                        size_t align, bool may_reserve) {
    enum source source = may_reserve ? RESERVED : FRESH;
    struct run run = {.npages = npages};
    if (align == 1)
        run.addr = firstpages_again(&h->first_pages, &h->pages, npages);
    if (run.addr != 0) {
        h->reused_pages += (int64_t)npages;
        note_pages(h, (int64_t)npages);
        return run;
    }
    if (!may_find_locked(h, npages))
        return find_run_locked(h, npages, align, source, /* large= */ true);
    run = find_run_locked(h, npages, align, BACKED, /* large= */ true);
    if (run.addr == 0) {
        mutex_unlock(&h->lock);
        mheap_take_back(h);
        mutex_lock(&h->lock);
        run = find_run_locked(h, npages, align, source, /* large= */ true);
    }
    if (run.addr == 0 && may_reserve && give_back_addresses_locked(h))
        run = find_run_locked(h, npages, align, source, /* large= */ true);
    return run;
}

// alloc_large: nmoved of the pages get their memory from elsewhere.
static struct mspan *alloc_large(struct mheap *h, size_t npages, size_t align,
                                 bool may_reserve, size_t nmoved) {
    if (npages + align < npages)
        return NULL;
    struct largestats *stats = &h->stats->large;
    struct run run = {0};
    size_t trade = 0;
    mutex_lock(&h->lock);
    struct mspan *s =
        align == 1 ? use_kept_locked(h, npages, 1, /* large= */ true) : NULL;
    if (s == NULL) {
        run = find_large_run_locked(h, npages, align, may_reserve);
        if (run.addr == 0)
            goto out;
        s = alloc_record_locked(h, 1);
        if (s == NULL) {
            free_run_locked(h, &run);
            goto out;
        }
        hugepages_large_locked(h, run.addr, npages);
        if (run.nscavenged > nmoved && !is_quiet_locked(h, &run)) {
            trade = scavenger_trade_locked(h, run.nscavenged - nmoved);
            if (nmoved == 0)
                plan_guess_locked(h, &run);
        }
        atomic_store_explicit(&s->start, run.addr, memory_order_relaxed);
        s->npages = npages;
    }
    s->sizeclass = 0;
    s->elemsize = 0;
    s->nelems = 1;
    s->nfree = 0;
    s->samples = NULL;
    s->moved = false;
    s->needzero = run.nscavenged < npages;
    atomic_store_explicit(&s->home, NULL, memory_order_relaxed);
    pagemap_set(&h->pagemap, s);
    atomic_store_explicit(&s->sample, NULL, memory_order_relaxed);
    stats->nmallocs++;
    stats->alloc_bytes += npages << PAGE_SHIFT;
    stats->total_alloc_bytes += npages << PAGE_SHIFT;
    // release: partner in mspan_state
    atomic_store_explicit(&s->state, MSPAN_LARGE, memory_order_release);
out:
    mutex_unlock(&h->lock);
    if (s != NULL && run.nscavenged > 0 && h->thp == THP_ALWAYS)
        hugepages_wish(h, run.addr, run.npages);
    else if (s != NULL && run.nguessed > 0)
        hugepages_wish(h, run.addr, min_size(run.npages, wished_pages(&run)));
    if (s != NULL)
        populate(h, &run);
    if (trade > 0)
        scavenger_release_excess(h, trade, trade);
    return s;
}

struct mspan *mheap_alloc_large(struct mheap *h, size_t npages, size_t align,
                                bool may_reserve) {
    return alloc_large(h, npages, align, may_reserve, /* nmoved= */ 0);
}

struct mspan *mheap_alloc_large_moved(struct mheap *h, size_t npages,
                                      size_t nmoved) {
    enum { REGION_PAGES = HUGE_BYTES / PAGE_SIZE };
    // From the start of a region: what a filled one has left would lose its memory
    // to no use.
    struct mspan *s = NULL;
    if (npages >= REGION_PAGES && h->thp != THP_NEVER)
        s = alloc_large(h, npages, REGION_PAGES,
                        /* may_reserve= */ h->address_limit == SIZE_MAX,
                        nmoved);
    if (s == NULL)
        s = alloc_large(h, npages, 1, /* may_reserve= */ true, nmoved);
    return s;
}

// struct leftover is what a free leaves to be done once the lock is free.
struct leftover {
    size_t excess; // pages above the keep
    size_t freed;  // pages that this free gave
    bool help;     // a helper should see to the rest
};

static struct leftover leftover_locked(struct mheap *h, size_t freed) {
    scavenger_look_after_locked(h);
    return (struct leftover){scavenger_excess_locked(h), freed,
                             scavenger_help_locked(h)};
}

static void after_free(struct mheap *h, struct leftover left) {
    if (left.excess > 0)
        scavenger_release_excess(h, left.excess, left.freed);
    if (left.help)
        scavenger_help(h);
}

// take_out_locked keeps a dead span, or gives its pages and its record back, and
// says whether it was kept.
static bool take_out_locked(struct mheap *h, struct mspan *s, bool scavenged) {
    size_t npages = s->npages;
    bool hollow = s->sizeclass != 0 && s->released != 0;
    bool kept = !scavenged && !hollow && keep_locked(h, s);
    if (!kept) {
        free_pages_locked(h, s, scavenged);
        free_record_locked(h, s);
    }
    note_pages(h, -(int64_t)npages);
    return kept;
}

void mheap_free_span(struct mheap *h, struct mspan *s) {
    struct leftover left = {0};
    size_t npages = s->npages;
    mutex_lock(&h->lock);
    if (!take_out_locked(h, s, /* scavenged= */ false))
        left = leftover_locked(h, npages);
    mutex_unlock(&h->lock);
    after_free(h, left);
}

void mheap_count_moved_locked(struct mheap *h, int n) {
    // Atomic for those who read them without the lock.
    __atomic_store_n(&h->nmoved, h->nmoved + (uint32_t)n, __ATOMIC_RELAXED);
    if (h->nmoved > MHEAP_MOVED_MANY)
        __atomic_store_n(&h->crowded, true, __ATOMIC_RELAXED);
}

// drop_large_locked takes a large object out of the heap, and says whether its
// pages were kept.
static bool drop_large_locked(struct mheap *h, struct mspan *s,
                              bool scavenged) {
    h->stats->large.alloc_bytes -= s->npages << PAGE_SHIFT;
    __atomic_store_n(&h->nmoved_live, h->nmoved_live - s->moved,
                     __ATOMIC_RELAXED);
    atomic_store_explicit(&s->state, MSPAN_DEAD, memory_order_relaxed);
    return take_out_locked(h, s, scavenged);
}

bool mheap_free_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      bool scavenged, void **ret_sample) {
    void *sample = NULL;
    mutex_lock(&h->lock);
    bool live = mspan_state(s) == MSPAN_LARGE && mspan_start(s) == addr;
    struct leftover left = {0};
    if (live) {
        size_t npages = s->npages;
        h->stats->large.nfrees++;
        sample = atomic_load_explicit(&s->sample, memory_order_relaxed);
        // What is kept is nothing more to give back.
        if (!drop_large_locked(h, s, scavenged))
            left = leftover_locked(h, npages);
    }
    mutex_unlock(&h->lock);
    if (ret_sample != NULL)
        *ret_sample = sample;
    after_free(h, left);
    return live;
}

bool mheap_keep_large(struct mheap *h, struct mspan *s, uintptr_t addr,
                      void **ret_sample) {
    mutex_lock(&h->lock);
    bool live = mspan_state(s) == MSPAN_LARGE && mspan_start(s) == addr;
    if (live) {
        *ret_sample = atomic_load_explicit(&s->sample, memory_order_relaxed);
        atomic_store_explicit(&s->sample, NULL, memory_order_relaxed);
        atomic_store_explicit(&s->state, MSPAN_KEPT, memory_order_relaxed);
    }
    mutex_unlock(&h->lock);
    return live;
}

void mheap_free_kept(struct mheap *h, struct mspan *s, bool scavenged) {
    struct leftover left = {0};
    mutex_lock(&h->lock);
    h->stats->large.nfrees++;
    size_t npages = s->npages;
    if (!drop_large_locked(h, s, scavenged))
        left = leftover_locked(h, npages);
    mutex_unlock(&h->lock);
    after_free(h, left);
}

void mheap_abandon_large(struct mheap *h, struct mspan *s) {
    struct largestats *stats = &h->stats->large;
    mutex_lock(&h->lock);
    stats->nmallocs--;
    stats->total_alloc_bytes -= s->npages << PAGE_SHIFT;
    drop_large_locked(h, s, /* scavenged= */ false);
    mutex_unlock(&h->lock);
}

void mheap_lose_large(struct mheap *h, struct mspan *s) {
    struct largestats *stats = &h->stats->large;
    size_t npages = s->npages;
    mutex_lock(&h->lock);
    stats->nmallocs--;
    stats->total_alloc_bytes -= npages << PAGE_SHIFT;
    stats->alloc_bytes -= npages << PAGE_SHIFT;
    atomic_store_explicit(&s->state, MSPAN_DEAD, memory_order_relaxed);
    hugepages_unmapped_locked(h, mspan_start(s), npages);
    h->stats->sys_pages -= npages;
    note_pages(h, -(int64_t)npages);
    free_record_locked(h, s);
    mutex_unlock(&h->lock);
}

// extend_at_end_locked grows the heap where a span that ends at the committed
// end would need it.
static bool extend_at_end_locked(struct mheap *h, uintptr_t end,
                                 size_t npages) {
    size_t nfree = pagealloc_unbacked_run(&h->pages, end, npages);
    if (end + (nfree << PAGE_SHIFT) != h->reserved_next)
        return false;
    size_t need = align_up((npages - nfree) << PAGE_SHIFT, COMMIT_GRAIN);
    if (h->reserved_end - h->reserved_next < need)
        return false;
    return grow_locked(h, npages - nfree, /* may_reserve= */ false);
}

bool mheap_resize_large(struct mheap *h, struct mspan *s, size_t npages) {
    bool done = true;
    struct leftover left = {0};
    struct run more = {0};
    mutex_lock(&h->lock);
    size_t old = s->npages;
    uintptr_t old_end = mspan_start(s) + (old << PAGE_SHIFT);
    struct largestats *stats = &h->stats->large;
    if (npages > old) {
        more.addr = old_end;
        more.npages = npages - old;
        done = pagealloc_alloc_at(&h->pages, old_end, more.npages,
                                  &more.nscavenged) ||
               (drop_held_locked(h) &&
                pagealloc_alloc_at(&h->pages, old_end, more.npages,
                                   &more.nscavenged)) ||
               (extend_at_end_locked(h, old_end, more.npages) &&
                pagealloc_alloc_at(&h->pages, old_end, more.npages,
                                   &more.nscavenged));
        if (done)
            note_pages(h, (int64_t)more.npages);
    } else if (npages < old) {
        size_t less = old - npages;
        pagealloc_free(&h->pages, old_end - (less << PAGE_SHIFT), less,
                       /* scavenged= */ false);
        note_pages(h, -(int64_t)less);
        left = leftover_locked(h, less);
    }
    if (done) {
        s->npages = npages;
        stats->alloc_bytes += (npages - old) << PAGE_SHIFT;
    }
    mutex_unlock(&h->lock);
    if (done && h->thp == THP_ALWAYS && more.nscavenged > 0)
        hugepages_wish(h, more.addr, more.npages);
    else if (done && more.nscavenged > 0)
        hugepages_grown(h, s, old, npages);
    after_free(h, left);
    return done;
}

void **mheap_alloc_slotarray(struct mheap *h, unsigned log2) {
    mutex_lock(&h->lock);
    void **array = h->slotarrays[log2];
    if (array != NULL)
        h->slotarrays[log2] = array[0];
    mutex_unlock(&h->lock);
    if (array == NULL)
        array = persistentalloc(&h->persistent, sizeof(void *) << log2, 64,
                                &h->slotarray_sys);
    return array;
}

void mheap_free_slotarray(struct mheap *h, void **array, unsigned log2) {
    mutex_lock(&h->lock);
    array[0] = h->slotarrays[log2];
    h->slotarrays[log2] = array;
    mutex_unlock(&h->lock);
}

void mheap_free_slotarrays(struct mheap *h, struct slotarrays *some) {
    mutex_lock(&h->lock);
    for (unsigned i = 0; i <= SLOTARRAY_MAX_LOG2; i++)
        while (some->first[i] != NULL) {
            void **array = some->first[i];
            some->first[i] = array[0];
            array[0] = h->slotarrays[i];
            h->slotarrays[i] = array;
        }
    mutex_unlock(&h->lock);
}

static void for_each_record(struct fixalloc *records,
                            void (*visit)(struct mspan *s, void *arg),
                            void *arg) {
    for (struct fixchunk *c = records->chunks; c != NULL; c = c->next)
        for (size_t i = 0; i < c->nrecords; i++) {
            struct mspan *s = fixalloc_record(records, c, i);
            if (mspan_state(s) != MSPAN_DEAD)
                visit(s, arg);
        }
}

void mheap_for_each_span_locked(struct mheap *h,
                                void (*visit)(struct mspan *s, void *arg),
                                void *arg) {
    mutex_assert_held(&h->lock);
    for_each_record(&h->small_spans, visit, arg);
    for_each_record(&h->large_spans, visit, arg);
}

struct containing {
    uintptr_t addr;
    struct mspan *found; // live
    struct mspan *kept;  // in the cache of a thread
};

static void look_inside(struct mspan *s, void *arg) {
    struct containing *c = arg;
    if (c->addr - mspan_start(s) >= s->npages << PAGE_SHIFT)
        return;
    if (mspan_state(s) == MSPAN_KEPT)
        c->kept = s;
    else
        c->found = s;
}

struct mspan *mheap_span_containing(struct mheap *h, uintptr_t addr) {
    struct containing c = {.addr = addr};
    mutex_lock(&h->lock);
    mheap_for_each_span_locked(h, look_inside, &c);
    mutex_unlock(&h->lock);
    return c.found;
}

bool mheap_page_is_free(struct mheap *h, uintptr_t addr) {
    struct containing c = {.addr = addr};
    mutex_lock(&h->lock);
    bool is_free = pagealloc_is_free(&h->pages, addr) ||
                   firstpages_holds(&h->first_pages, addr);
    for (int i = 0; i < KEPT_PAGES_MAX; i++)
        for (struct mspan *s = h->kept[i]; s != NULL; s = *next_kept(s))
            is_free |= addr - mspan_start(s) < s->npages << PAGE_SHIFT;
    mheap_for_each_span_locked(h, look_inside, &c);
    mutex_unlock(&h->lock);
    return is_free || c.kept != NULL;
}

static void relist_span(struct mspan *s, void *arg) {
    (void)arg;
    struct mcentral *home = mspan_home(s);
    if (home != NULL && home->forgotten)
        mcentral_relist_locked(home, s);
}

void mheap_repair(struct mheap *h, bool ret_rebuilt[NUM_SIZECLASSES]) {
    unsigned ncentrals = mheap_ncentrals(h);
    bool any = false;
    if (mutex_reset(&h->persistent.lock))
        h->persistent.next = h->persistent.end = 0; // the chunk's rest is lost
    mutex_reset(&h->scavenger);
    if (mutex_reset(&h->lock)) {
        memset(h->kept, 0, sizeof h->kept);
        h->kept_pages = 0;
        h->first_pages.n = 0;
        memset(h->slotarrays, 0, sizeof h->slotarrays);
        h->small_spans.free = h->large_spans.free = h->caches.free = NULL;
        pagealloc_rebuild(&h->pages);
        note_pages(h, 0);
    }
    mutex_lock(&h->lock);
    for (unsigned i = 0; i < ncentrals; i++) {
        struct mcentral *mc = mheap_central(h, i);
        bool held = mutex_reset(&mc->lock);
        if (i < NUM_SIZECLASSES)
            ret_rebuilt[i] = held;
        if (!held || !mheap_is_used(h, i))
            continue;
        mcentral_forget_locked(mc);
        any = true;
    }
    if (any)
        mheap_for_each_span_locked(h, relist_span, NULL);
    for (unsigned i = mheap_next_used(h, 0); i < ncentrals;
         i = mheap_next_used(h, i + 1))
        mheap_central(h, i)->forgotten = false;
    mutex_unlock(&h->lock);
}

// struct recount is what a walk over all spans finds.
struct recount {
    struct mheap *h;
    struct classstats classes[2 * NUM_SIZECLASSES]; // as mheap_central
    uint64_t inuse_pages;
    uint64_t large_bytes;
    uint64_t nlarge;
    unsigned nwrong;
};

static void recount_span(struct mspan *s, void *arg) {
    struct recount *r = arg;
    uintptr_t start = mspan_start(s);
    r->inuse_pages += s->npages;
    for (size_t i = 0; i < s->npages; i++)
        r->nwrong += pagealloc_is_free(&r->h->pages, start + (i << PAGE_SHIFT));
    r->nwrong += pagemap_span(&r->h->pagemap, start) != s;
    r->nwrong += pagemap_class(&r->h->pagemap, start) != mspan_class_byte(s);
    if (mspan_state(s) != MSPAN_SMALL) {
        r->nlarge++;
        r->large_bytes += s->npages << PAGE_SHIFT;
        return;
    }
    bool sampled = s->samples != NULL;
    struct classstats *c =
        &r->classes[s->sizeclass + (sampled ? NUM_SIZECLASSES : 0)];
    c->nspans++;
    c->nslots += s->nelems;
    c->nfree += s->nfree;
    c->hole_bytes += mspan_bytes_of(s->released);
    r->nwrong += mspan_verify(s);
}

unsigned mheap_verify(struct mheap *h) {
    // 6 KiB of counts: too much for a stack of 16 KiB threads, and only one
    // walk is useful at a time.
    static struct recount recount;
    struct recount *r = &recount;
    unsigned nwrong = 0;
    mutex_lock(&h->central[0].lock);
    unsigned ncentrals = mheap_ncentrals(h);
    for (unsigned i = 1; i < NUM_SIZECLASSES; i++)
        mutex_lock(&mheap_class(h, i)->lock);
    for (unsigned i = NUM_SIZECLASSES; i < ncentrals; i++)
        mutex_lock(&mheap_central(h, i)->lock);
    mutex_lock(&h->lock);
    memset(r, 0, sizeof *r);
    r->h = h;
    mheap_for_each_span_locked(h, recount_span, r);
    nwrong += r->nwrong;
    for (unsigned c = 1; c < ncentrals; c++) {
        struct mcentral *mc = mheap_central(h, c);
        const struct classstats *st = mc->stats;
        nwrong += r->classes[c].nspans != st->nspans;
        nwrong += r->classes[c].nslots != st->nslots;
        nwrong += r->classes[c].nfree != st->nfree;
        nwrong += r->classes[c].hole_bytes != st->hole_bytes;
        nwrong += st->nfree + st->ntransfer > st->nslots;
        nwrong += mcentral_verify_locked(mc);
    }
    const struct largestats *large = &h->stats->large;
    nwrong += r->nlarge != large->nmallocs - large->nfrees;
    nwrong += r->large_bytes != large->alloc_bytes;
    // Pages between pagealloc and a span (being populated or released, or in
    // a span that its class does not know yet) are in use for the counters.
    nwrong += r->inuse_pages > h->stats->inuse_pages;
    nwrong += h->stats->inuse_pages + h->pages.nfree > h->stats->sys_pages;
    nwrong += pagealloc_verify(&h->pages);
    mutex_unlock(&h->lock);
    for (unsigned i = ncentrals; i-- > 0;)
        mutex_unlock(&mheap_central(h, i)->lock);
    return nwrong;
}
