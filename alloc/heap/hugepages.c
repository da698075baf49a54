// hugepages.c: see hugepages.h.
//
// What a page costs, and so when regions are filled. Measured on an AMD EPYC
// (Zen 5), 2 cores in a virtual machine, Linux 6.18, for 2 MiB: 512 first
// touches 590 to 5 600 us, MADV_POPULATE_WRITE of them 500 to 2 000, one huge
// page 50 to 110 (minima of a quiet and of a busy hour). So a region that gets
// touches 590 to 5 600 us, MADV_POPULATE_WRITE of them 500 to 2 000, one huge
// page 50 to 110 (minima of a quiet and of a busy hour). So one huge page is
// five to ten times cheaper for a region that gets used; populating small pages
// ahead saves half at best.
//
// The price is the unused rest of the last region, 1 MiB on average. A heap of
// less than 2 MiB (its own first region) is never filled, so small processes
// pay nothing; one that stops at 3 MiB holds 4. Ten programs with heaps of 3 to
// 480 MiB took 2 to 3 % more memory at their peak and a third of the page
// faults. Starting at 4 or 8 MiB takes as much memory and leaves more faults.
//
// In a large object each region that is touched anywhere costs 2 MiB; with
// pages of 4 KiB it costs what is touched. Stacks of coroutines, sparse tables
// and worst-case buffers would multiply their memory. So guesses are bounded
// (hugepages_guess_locked) and spent on the beginning of an object, where
// buffers are filled first. With huge pages in all of them xz -T2 took 20.6 to
// 21.3 MiB and sort 28.3; with guesses 20.0 and 26.9; without any 18.3 and
// 26.9; of 6 200 and 6 500 faults guesses leave 3 700 and 3 900. python3 takes
// 46 to 48 MiB instead of 45 and 1 800 to 2 800 faults instead of 4 500. If
// releases show that large objects are touched (residency.h), three quarters of
// them are guessed: 20 live objects of 5 to 25 MiB, replaced 1 200 times and
// filled, took 3.0 s and 800 000 faults before, 2.4 s and 590 000 since, in 456
// MiB instead of 473. The bound by what was touched lately is for programs that
// change: 4 000 objects of 1 MiB with one touched page each, after 30 that were
// filled, took 2 981 MiB without it and 433 with it, 55 more than with no
// guesses.
//
// MADV_COLLAPSE is not used: it waits until every CPU has drained its page
// lists, and copies existing contents.
#include "heap/hugepages.h"

#include "heap/memlimit.h"
#include "os/mem.h"

enum {
    // The heap grows by regions once this much is in use.
    GROWING_PAGES = REGION_PAGES,
    GROWN_PAGES = 4 * REGION_PAGES, // of an object: see hugepages_grown
    // See hugepages_guess_locked.
    GUESS_SMALL_SHARE = 8,
    GUESS_LARGE_SHARE = 4,
    GUESS_LARGE_PAGES = (16 << 20) / PAGE_SIZE,
    // Of 4, if large objects are touched. Releases of the rest keep telling.
    GUESS_TOUCHED_SHARE = 3,
    // Stall guard: if filling a region takes longer than STALL_STEPS *
    // SYS_TICKS_STEP (0.2 to 20 ms each), the kernel had to compact memory or
    // the thread lost its core. Then this many regions are not filled, doubled
    // for each stall in a row.
    STALL_STEPS = 2,
    SKIP_MIN = 1,
    SKIP_MAX = 1 << 12,
    // Each region with its own advice may cost the kernel two mappings, of the
    // 65 530 that a process may have.
    FORBIDDEN_MAX = 1 << 13,
    MANY_MOVED = MHEAP_MOVED_MANY / 2,
};

COLD void hugepages_init(struct mheap *h, enum thp_mode mode) {
    enum mem_hugepages_setting setting =
        mode == THP_NEVER ? MEM_HUGEPAGES_NEVER : mem_hugepages_setting();
    // Larger huge pages have not been measured: none are used.
    bool fits = mem_hugepage_bytes() == HUGE_BYTES;
    h->thp = setting == MEM_HUGEPAGES_NEVER || !fits ? THP_NEVER : mode;
    h->thp_unasked = setting == MEM_HUGEPAGES_ALWAYS;
}

bool hugepages_growing_locked(const struct mheap *h) {
    return h->thp != THP_NEVER && h->stats->inuse_pages >= GROWING_PAGES &&
           memlimit_has_room_locked(h, REGION_PAGES);
}

// struct region says where the bits of a region are.
struct region {
    struct arena *a; // NULL: not the heap's
    size_t word;
    uint64_t bit;
};

static struct region region_at(const struct mheap *h, uintptr_t addr) {
    size_t i = addr % ARENA_BYTES / HUGE_BYTES;
    return (struct region){pagemap_arena(&h->pagemap, addr), i / WORD_BITS,
                           (uint64_t)1 << (i % WORD_BITS)};
}

bool hugepages_ahead_locked(struct mheap *h, uintptr_t addr, size_t npages,
                            size_t *ret_nahead) {
    uintptr_t end = addr + (npages << PAGE_SHIFT);
    uintptr_t first = align_up(addr, HUGE_BYTES);
    size_t nahead = (align_up(end, HUGE_BYTES) - end) >> PAGE_SHIFT;
    size_t nscavenged;
    if (!hugepages_growing_locked(h) || first >= end)
        return false;
    if (h->nskip > 0) {
        h->nskip--;
        return false;
    }
    if (nahead > 0 &&
        (pagealloc_unbacked_run(&h->pages, end, nahead) < nahead ||
         !pagealloc_alloc_at(&h->pages, end, nahead, &nscavenged)))
        return false;
    *ret_nahead = nahead;
    return true;
}

static void unforbid_locked(struct mheap *h, struct region r) {
    h->nforbidden -= (r.a->forbidden[r.word] & r.bit) != 0;
    r.a->forbidden[r.word] &= ~r.bit;
}

// allow_locked notes that regions get the advice.
static void allow_locked(struct mheap *h, uintptr_t start, uintptr_t end) {
    for (uintptr_t addr = start; addr < end; addr += HUGE_BYTES) {
        struct region r = region_at(h, addr);
        if (r.a == NULL)
            continue;
        r.a->huge[r.word] |= r.bit;
        unforbid_locked(h, r);
    }
}

void hugepages_wish(struct mheap *h, uintptr_t addr, size_t npages) {
    uintptr_t start = align_up(addr, HUGE_BYTES);
    uintptr_t end = align_down(addr + (npages << PAGE_SHIFT), HUGE_BYTES);
    if (h->thp == THP_NEVER || start >= end)
        return;
    mutex_lock(&h->lock);
    bool wished = memlimit_has_room_locked(h, REGION_PAGES);
    if (wished)
        allow_locked(h, start, end);
    mutex_unlock(&h->lock);
    if (wished)
        mem_hugepages(start, end - start);
}

bool hugepages_are(struct mheap *h, uintptr_t addr, size_t npages) {
    uintptr_t end = addr + (npages << PAGE_SHIFT);
    bool any = false;
    mutex_lock(&h->lock);
    for (addr = align_down(addr, HUGE_BYTES); addr < end; addr += HUGE_BYTES) {
        struct region r = region_at(h, addr);
        any |= r.a != NULL && r.a->huge[r.word] & r.bit;
    }
    mutex_unlock(&h->lock);
    return any;
}

// guesses_left_locked returns how many more regions may be guessed, for an
// object of npages that is in use but not yet counted as a large one.
static size_t guesses_left_locked(const struct mheap *h, size_t npages) {
    uint64_t inuse = h->stats->inuse_pages;
    uint64_t large = (h->stats->large.alloc_bytes >> PAGE_SHIFT) + npages;
    large = min_size(large, inuse);
    uint64_t most = (inuse - large) / GUESS_SMALL_SHARE;
    uint64_t guess = min_size(large / GUESS_LARGE_SHARE, GUESS_LARGE_PAGES);
    if (residency_is_high(&h->residency)) {
        uint64_t there = residency_pages(&h->residency, sys_ticks());
        guess =
            max_size(guess, min_size(there, large / 4 * GUESS_TOUCHED_SHARE));
    }
    most += guess;
    most /= REGION_PAGES;
    return most > h->nguessed ? most - h->nguessed : 0;
}

// guess_locked makes a region a guess; false if it was one or is not the
// heap's.
static bool guess_locked(struct mheap *h, struct region r) {
    if (r.a == NULL || r.a->guessed[r.word] & r.bit)
        return false;
    r.a->guessed[r.word] |= r.bit;
    h->nguessed++;
    return true;
}

size_t hugepages_guess_locked(struct mheap *h, uintptr_t first, uintptr_t end,
                              size_t npages) {
    size_t left = guesses_left_locked(h, npages);
    size_t n = 0;
    while (first + n * HUGE_BYTES < end && n < left &&
           guess_locked(h, region_at(h, first + n * HUGE_BYTES)))
        n++;
    return n;
}

static void unguess_locked(struct mheap *h, struct region r) {
    h->nguessed -= (r.a->guessed[r.word] & r.bit) != 0;
    r.a->guessed[r.word] &= ~r.bit;
}

void hugepages_small_locked(struct mheap *h, uintptr_t addr, size_t npages) {
    uintptr_t end = addr + (npages << PAGE_SHIFT);
    for (addr = align_down(addr, HUGE_BYTES); addr < end; addr += HUGE_BYTES) {
        struct region r = region_at(h, addr);
        if (r.a == NULL)
            continue;
        unguess_locked(h, r);
        r.a->large[r.word] &= ~r.bit;
    }
}

void hugepages_large_locked(struct mheap *h, uintptr_t addr, size_t npages) {
    uintptr_t end = addr + (npages << PAGE_SHIFT);
    for (addr = align_down(addr, HUGE_BYTES); addr < end; addr += HUGE_BYTES) {
        struct region r = region_at(h, addr);
        if (r.a != NULL)
            r.a->large[r.word] |= r.bit;
    }
}

bool hugepages_tells_locked(const struct mheap *h, uintptr_t addr,
                            size_t npages) {
    uintptr_t end = addr + (npages << PAGE_SHIFT);
    for (addr = align_down(addr, HUGE_BYTES); addr < end; addr += HUGE_BYTES) {
        struct region r = region_at(h, addr);
        if (r.a == NULL || !(r.a->large[r.word] & r.bit) ||
            r.a->huge[r.word] & r.bit)
            return false;
    }
    return !h->thp_unasked;
}

static bool may_guess(struct mheap *h, size_t npages) {
    mutex_lock(&h->lock);
    bool may = npages <= guesses_left_locked(h, 0) * REGION_PAGES;
    mutex_unlock(&h->lock);
    return may;
}

void hugepages_grown(struct mheap *h, const struct mspan *s, size_t old,
                     size_t npages) {
    // With many mappings, none gets its own advice.
    if (__atomic_load_n(&h->nmoved_live, __ATOMIC_RELAXED) > MANY_MOVED)
        return;
    if (npages > old && (npages >= GROWN_PAGES || may_guess(h, npages - old)))
        hugepages_wish(h, mspan_start(s) + (old << PAGE_SHIFT), npages - old);
}

// back_off notes whether a fill stalled. After a stall it skips regions, twice
// as many as the last time; each quick fill halves that number.
static void back_off(struct mheap *h, bool stalled) {
    size_t skip = atomic_load_explicit(&h->skip, memory_order_relaxed);
    if (LIKELY(!stalled && skip == 0))
        return;
    skip = stalled ? clamp_size(skip * 2, SKIP_MIN, SKIP_MAX) : skip / 2;
    atomic_store_explicit(&h->skip, (uint32_t)skip, memory_order_relaxed);
    if (!stalled)
        return;
    mutex_lock(&h->lock);
    h->nskip = (uint32_t)skip;
    h->nstalls++;
    mutex_unlock(&h->lock);
}

bool hugepages_populate(struct mheap *h, uintptr_t addr, size_t npages) {
    hugepages_wish(h, addr, npages);
    uint64_t before = sys_ticks();
    bool ok = mem_populate(addr, npages << PAGE_SHIFT);
    back_off(h, sys_ticks() - before > STALL_STEPS * (uint64_t)SYS_TICKS_STEP);
    return ok;
}

struct hugepages_range
hugepages_released_locked(struct mheap *h, uintptr_t addr, size_t npages) {
    uintptr_t limit = addr + (npages << PAGE_SHIFT);
    struct hugepages_range range = {0, 0};
    for (uintptr_t start = align_down(addr, HUGE_BYTES); start < limit;
         start += HUGE_BYTES) {
        struct region r = region_at(h, start);
        if (r.a == NULL)
            continue;
        unguess_locked(h, r);
        if (r.a->forbidden[r.word] & r.bit || h->nforbidden >= FORBIDDEN_MAX)
            continue;
        bool advised = r.a->huge[r.word] & r.bit;
        if (!advised && !h->thp_unasked)
            continue;
        r.a->huge[r.word] &= ~r.bit;
        r.a->forbidden[r.word] |= r.bit;
        h->nforbidden++;
        // A region that was never advised may partly be another's. A mapping
        // that ends inside a region prevents a huge page in it anyway.
        uintptr_t from = advised ? start : max_size(start, addr);
        uintptr_t end = start + HUGE_BYTES;
        if (!advised)
            end = min_size(end, limit);
        if (range.nbytes == 0)
            range.addr = from;
        range.nbytes = end - range.addr;
    }
    return range;
}

void hugepages_forbid(struct hugepages_range range) {
    if (range.nbytes > 0)
        mem_no_hugepages(range.addr, range.nbytes);
}

void hugepages_unmapped_locked(struct mheap *h, uintptr_t addr, size_t npages) {
    uintptr_t limit = addr + (npages << PAGE_SHIFT);
    for (uintptr_t start = align_down(addr, HUGE_BYTES); start < limit;
         start += HUGE_BYTES) {
        struct region r = region_at(h, start);
        if (r.a == NULL)
            continue;
        unguess_locked(h, r);
        r.a->huge[r.word] &= ~r.bit;
        unforbid_locked(h, r);
    }
}

// advise_within_locked notes the advice for those of the two regions from addr
// on that are entirely in [start, end).
static void advise_within_locked(struct mheap *h, uintptr_t addr,
                                 uintptr_t start, uintptr_t end) {
    addr = align_down(addr, HUGE_BYTES);
    for (int i = 0; i < 2; i++, addr += HUGE_BYTES)
        if (addr >= start && addr + HUGE_BYTES <= end)
            allow_locked(h, addr, addr + HUGE_BYTES);
}

void hugepages_moved_locked(struct mheap *h, uintptr_t old, uintptr_t new,
                            size_t npages) {
    uintptr_t nbytes = npages << PAGE_SHIFT;
    for (uintptr_t addr = align_down(old, HUGE_BYTES); addr < old + nbytes;
         addr += HUGE_BYTES) {
        struct region from = region_at(h, addr);
        uintptr_t at = new + (max_size(addr, old) - old);
        if (from.a == NULL)
            continue;
        if (from.a->guessed[from.word] & from.bit)
            guess_locked(h, region_at(h, at));
        if (from.a->huge[from.word] & from.bit)
            advise_within_locked(h, at, new, new + nbytes);
    }
}

void hugepages_recount_locked(struct mheap *h) {
    h->nguessed = 0;
    h->nforbidden = 0;
    for (size_t i = 0; i < h->pages.narenas; i++) {
        const struct arena *a = h->pages.arenas[i];
        for (unsigned w = 0; w < ARENA_REGIONS / WORD_BITS; w++) {
            h->nguessed += (unsigned)__builtin_popcountl(a->guessed[w]);
            h->nforbidden += (uint32_t)__builtin_popcountl(a->forbidden[w]);
        }
    }
}
