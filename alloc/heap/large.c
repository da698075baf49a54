// large.c: see large.h.
#include "heap/large.h"

#include <string.h>

#include "heap/hugepages.h"
#include "os/mem.h"
#include "os/sys.h"

// count_moved_locked adds n to the number of places of moved objects.
static void count_moved_locked(struct mheap *h, int n) {
    // Atomic, for readers without the lock.
    __atomic_store_n(&h->nmoved, h->nmoved + (uint32_t)n, __ATOMIC_RELAXED);
    if (h->nmoved > MHEAP_MOVED_MANY)
        __atomic_store_n(&h->crowded, true, __ATOMIC_RELAXED);
}

// note_move records that an object was moved to new. It maps the old place anew
// if there may be too many mappings, or if it has advice that its next user
// should not inherit.
static void note_move(struct mheap *h, struct mspan *s, struct mspan *new) {
    uintptr_t old = mspan_start(s);
    size_t npages = s->npages;
    bool renewed = (mheap_is_crowded(h) || hugepages_are(h, old, npages)) &&
                   mem_renew(old, npages << PAGE_SHIFT);
    mutex_lock(&h->lock);
    hugepages_moved_locked(h, old, mspan_start(new), npages);
    if (renewed)
        hugepages_unmapped_locked(h, old, npages);
    new->moved = true;
    __atomic_store_n(&h->nmoved_live, h->nmoved_live + 1, __ATOMIC_RELAXED);
    count_moved_locked(h, renewed && !s->moved ? 1 : renewed ? 0 : 2);
    mutex_unlock(&h->lock);
}

// may_move says whether another moved place is allowed for the object. One that
// was moved before leaves its place.
static bool may_move(const struct mheap *h, const struct mspan *s) {
    uint32_t nmoved = __atomic_load_n(&h->nmoved, __ATOMIC_RELAXED);
    return nmoved < large_moves_max(s->npages) + (s->moved ? 1 : 0);
}

// give_up frees the old object, or keeps it and writes whether it did.
static void *give_up(struct mheap *h, struct mspan *s, uintptr_t addr,
                     bool scavenged, bool *ret_kept) {
    void *sample = NULL;
    if (ret_kept != NULL)
        *ret_kept = mheap_keep_large(h, s, addr, &sample);
    else
        mheap_free_large(h, s, addr, scavenged, &sample);
    return sample;
}

// move is large_move, or large_move_kept unless ret_kept is NULL.
static struct mspan *move(struct mheap *h, struct mspan *s, size_t npages,
                          bool *ret_kept) {
    size_t old_pages = s->npages;
    if (PAGE_SIZE % sys_page_size() != 0)
        return NULL; // spans do not begin at pages of the system
    if (!may_move(h, s))
        return NULL;
    bool moves = large_moves(old_pages, /* fresh= */ false);
    struct mspan *new =
        moves ? mheap_alloc_large_moved(h, npages, old_pages)
              : mheap_alloc_large(h, npages, 1, /* may_reserve= */ true);
    if (new == NULL)
        return NULL;
    uintptr_t old_addr = mspan_start(s);
    void *sample;
    // A huge page costs no more than the copying.
    if (!moves &&
        (new->needzero || hugepages_are(h, mspan_start(new), new->npages))) {
        memcpy((void *)mspan_start(new), (void *)old_addr,
               old_pages << PAGE_SHIFT);
        sample = give_up(h, s, old_addr, /* scavenged= */ false, ret_kept);
        goto out;
    }
    enum mem_moved moved =
        mem_move(old_addr, mspan_start(new), old_pages << PAGE_SHIFT);
    if (moved != MEM_MOVED) {
        if (moved == MEM_LOST)
            mheap_lose_large(h, new);
        else
            mheap_abandon_large(h, new);
        return NULL;
    }
    note_move(h, s, new);
    // The old pages are Prepared again and read as zero, so they are freed as
    // scavenged.
    sample = give_up(h, s, old_addr, /* scavenged= */ true, ret_kept);
out:
    atomic_store_explicit(&new->sample, sample, memory_order_relaxed);
    hugepages_grown(h, new, old_pages, npages);
    return new;
}

struct mspan *large_move(struct mheap *h, struct mspan *s, size_t npages) {
    return move(h, s, npages, /* ret_kept= */ NULL);
}

struct mspan *large_move_kept(struct mheap *h, struct mspan *s, size_t npages,
                              bool *ret_kept) {
    return move(h, s, npages, ret_kept);
}

bool large_renew(struct mheap *h, struct mspan *s, uintptr_t addr,
                 void **ret_sample) {
    size_t nbytes = s->npages << PAGE_SHIFT;
    if (!mheap_keep_large(h, s, addr, ret_sample))
        return false;
    bool renewed = mem_renew(addr, nbytes);
    if (renewed) {
        mutex_lock(&h->lock);
        hugepages_unmapped_locked(h, addr, s->npages);
        count_moved_locked(h, -1);
        mutex_unlock(&h->lock);
    }
    mheap_free_kept(h, s, /* scavenged= */ renewed);
    return true;
}
