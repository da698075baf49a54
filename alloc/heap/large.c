// large.c: see large.h.
#include "heap/large.h"

#include <string.h>

#include "heap/hugepages.h"
#include "os/mem.h"
#include "os/sys.h"

// count_moved keeps the number of places that moves have made mappings of.
static void count_moved(struct mheap *h, int n) {
    mutex_lock(&h->lock);
    // Atomic for large_is_crowding, which reads it without the lock.
    __atomic_store_n(&h->nmoved, h->nmoved + (uint32_t)n, __ATOMIC_RELAXED);
    mutex_unlock(&h->lock);
}

// leave makes the old place of an object one mapping with its neighbours again, if
// there may be too many, and says how many places there are more.
static int leave(struct mheap *h, struct mspan *s, size_t npages) {
    bool crowded =
        __atomic_load_n(&h->nmoved, __ATOMIC_RELAXED) > LARGE_MOVES_MAX / 2;
    if (crowded && mem_renew(mspan_start(s), npages << PAGE_SHIFT))
        return s->moved ? 0 : 1;
    return 2;
}

struct mspan *large_move(struct mheap *h, struct mspan *s, size_t npages) {
    size_t old_pages = s->npages;
    if (PAGE_SIZE % sys_page_size() != 0)
        return NULL; // spans do not begin at pages of the system
    if (__atomic_load_n(&h->nmoved, __ATOMIC_RELAXED) >= LARGE_MOVES_MAX)
        return NULL;
    bool moves = large_moves(old_pages, /* fresh= */ false);
    struct mspan *new =
        moves ? mheap_alloc_large_moved(h, npages, old_pages)
              : mheap_alloc_large(h, npages, 1, /* may_reserve= */ true);
    if (new == NULL)
        return NULL;
    uintptr_t old_addr = mspan_start(s);
    void *sample;
    // What comes as a huge page costs no more than the copying.
    if (!moves &&
        (new->needzero || hugepages_are(h, mspan_start(new), new->npages))) {
        memcpy((void *)mspan_start(new), (void *)old_addr,
               old_pages << PAGE_SHIFT);
        mheap_free_large(h, s, old_addr, /* scavenged= */ false, &sample);
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
    count_moved(h, leave(h, s, old_pages));
    new->moved = true;
    // What the new pages held before is gone with their mapping; the old ones
    // are Prepared again and read as zero, and so are free as scavenged.
    mheap_free_large(h, s, old_addr, /* scavenged= */ true, &sample);
out:
    atomic_store_explicit(&new->sample, sample, memory_order_relaxed);
    hugepages_grown(h, new, old_pages, npages);
    return new;
}

bool large_renew(struct mheap *h, struct mspan *s, uintptr_t addr,
                 void **ret_sample) {
    size_t nbytes = s->npages << PAGE_SHIFT;
    if (!mheap_keep_large(h, s, addr, ret_sample))
        return false;
    bool renewed = mem_renew(addr, nbytes);
    if (renewed)
        count_moved(h, -1);
    mheap_free_kept(h, s, /* scavenged= */ renewed);
    return true;
}
