// large.c: see large.h.
#include "heap/large.h"

#include "heap/hugepages.h"
#include "os/mem.h"
#include "os/sys.h"

struct mspan *large_move(struct mheap *h, struct mspan *s, size_t npages) {
    size_t old_pages = s->npages;
    if (PAGE_SIZE % sys_page_size() != 0)
        return NULL; // spans do not begin at pages of the system
    struct mspan *new = mheap_alloc_large_moved(h, npages, old_pages);
    if (new == NULL)
        return NULL;
    uintptr_t old_addr = mspan_start(s);
    if (!mem_move(old_addr, mspan_start(new), old_pages << PAGE_SHIFT)) {
        mheap_abandon_large(h, new);
        return NULL;
    }
    // What the new pages held before is gone with their mapping; the old ones
    // are Prepared again and read as zero, and so are free as scavenged.
    void *sample;
    mheap_free_large(h, s, old_addr, /* scavenged= */ true, &sample);
    atomic_store_explicit(&new->sample, sample, memory_order_relaxed);
    hugepages_grown(h, new, old_pages, npages);
    return new;
}
