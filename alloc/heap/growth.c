// growth.c: see growth.h.
#include "heap/growth.h"

#include "heap/hugepages.h"
#include "heap/pagecount.h"
#include "os/mem.h"
#include "os/sys.h"

enum {
    COMMIT_GRAIN = 64 << 10, // the largest page of any system
    // A piece is as long as the heap, within these bounds, or 1/16 of the heap
    // if that is more: each piece is a mapping in the kernel. Under RLIMIT_AS
    // it is at most 1/32 of the limit.
    RESERVE_MIN = 8 << 20,
    RESERVE_MAX = 64 << 20,
    RESERVE_SHARE = 16,
    RESERVE_LIMIT_SHARE = 32,
    // A step is 1/8 of what is in use, within these bounds.
    COMMIT_MIN = 256 << 10,
    COMMIT_MAX = 4 << 20,
    COMMIT_SHARE = 8,
};

bool growth_may_serve_locked(const struct mheap *h, size_t npages) {
    size_t most = h->address_limit != SIZE_MAX ? h->address_limit >> PAGE_SHIFT
                                               : h->stats->sys_pages;
    return npages <= most;
}

bool mheap_may_find(struct mheap *h, size_t npages) {
    mutex_lock(&h->lock);
    bool may = growth_may_serve_locked(h, npages);
    mutex_unlock(&h->lock);
    return may;
}

// commit makes nbytes of the reservation usable and free.
static bool commit_locked(struct mheap *h, size_t nbytes) {
    if (!mem_commit(h->reserved_next, nbytes))
        return false;
    pagealloc_free(&h->pages, h->reserved_next, nbytes >> PAGE_SHIFT,
                   /* scavenged= */ true);
    h->reserved_next += nbytes;
    h->stats->sys_pages += nbytes >> PAGE_SHIFT;
    pagecount_update_locked(h, 0);
    return true;
}

static void unreserve_locked(struct mheap *h, uintptr_t addr, size_t nbytes) {
    mem_unreserve(addr, nbytes);
    if (UNLIKELY(h->changed != NULL))
        reservations_remove(&h->reservations, addr, addr + nbytes);
}

// use_up_reserved_locked makes the rest of the reservation free pages, or
// unmaps it, before another takes its place.
static void use_up_reserved_locked(struct mheap *h) {
    size_t left = h->reserved_end - h->reserved_next;
    if (left > 0 && !commit_locked(h, left))
        unreserve_locked(h, h->reserved_next, left);
    h->reserved_next = h->reserved_end = 0;
}

// reserve_piece_locked makes size bytes of new address space the reservation.
static bool reserve_piece_locked(struct mheap *h, size_t size, size_t align) {
    // Directly below the last piece, so that runs of free pages can span both.
    uintptr_t hint = h->reserved_low > size ? h->reserved_low - size : 0;
    uintptr_t addr = mem_reserve(hint, size, align);
    if (addr == 0)
        return false;
    if (!pagealloc_cover(&h->pages, addr, size)) {
        mem_unreserve(addr, size);
        return false;
    }
    use_up_reserved_locked(h);
    if (UNLIKELY(h->changed != NULL))
        reservations_add(&h->reservations, addr, addr + size);
    h->reserved_next = addr;
    h->reserved_end = addr + size;
    if (h->reserved_low == 0 || addr < h->reserved_low)
        h->reserved_low = addr;
    return true;
}

// can_be_had says whether the system would commit nbytes. It is called before
// metadata is made for a huge request, because reserving alone nearly always
// succeeds.
static bool can_be_had(size_t nbytes) {
    static const size_t HUGE_REQUEST = (size_t)1 << 30;
    return nbytes < HUGE_REQUEST || mem_could_map(nbytes);
}

// reserve_locked reserves at least nbytes. Pieces are halved when the system
// refuses. Under a limit they are a small share of it, since the program needs
// addresses too.
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
        // Aligned to huge pages, also in size: otherwise the next piece could
        // not be adjacent. The last attempt takes only what it must.
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
        // A limit that was set after the start is learned from the refusal.
        size_t have = h->stats->sys_pages << PAGE_SHIFT;
        h->address_limit = min_size(h->address_limit, have + size);
        want = max_size(nbytes, align_down(want / 2, COMMIT_GRAIN));
    }
}

bool growth_commit_locked(struct mheap *h, size_t npages, bool may_reserve) {
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

bool growth_extend_locked(struct mheap *h, uintptr_t end, size_t npages) {
    size_t nfree = pagealloc_unbacked_run(&h->pages, end, npages);
    if (end + (nfree << PAGE_SHIFT) != h->reserved_next)
        return false;
    size_t need = align_up((npages - nfree) << PAGE_SHIFT, COMMIT_GRAIN);
    if (h->reserved_end - h->reserved_next < need)
        return false;
    return growth_commit_locked(h, npages - nfree, /* may_reserve= */ false);
}

bool growth_give_back_locked(struct mheap *h) {
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
        // The run is allocated: no other thread gets it while the lock is
        // released.
        mutex_unlock(&h->lock);
        bool ok = mem_unmap(start, end - start);
        mutex_lock(&h->lock);
        size_t n = (end - start) >> PAGE_SHIFT;
        if (ok) {
            hugepages_unmapped_locked(h, start, n);
            if (UNLIKELY(h->changed != NULL))
                reservations_remove(&h->reservations, start, end);
            h->stats->sys_pages -= n;
            given += n;
        } else {
            pagealloc_free(&h->pages, start, n, /* scavenged= */ false);
        }
    }
    pagecount_update_locked(h, 0);
    return given > 0;
}
