// usable.h: the size of a live block by the page map alone, without a lock or a slow
// path. block_find does the same and says what is wrong.
#ifndef MOUND_USABLE_H
#define MOUND_USABLE_H

#include "runtime/runtime.h"
#include "runtime/thread.h"

// usable_hit returns the usable bytes of a live block, or 0: take the slow path, which
// knows hardened mode and the stores outside the heap, and reports misuse. It detects
// interior pointers and slots that are free in their span, not slots that are free in a
// magazine. p may have any value. Cost: five dependent loads.
ALWAYS_INLINE size_t usable_hit(const void *p) {
    uintptr_t addr = (uintptr_t)p;
    struct mspan *s = pagemap_span(&mound_heap.pagemap, addr);
    if (UNLIKELY(s == NULL) || UNLIKELY(thread_cache() == MCACHE_NONE))
        return 0;
    enum mspan_state state = mspan_state(s);
    if (state == MSPAN_LARGE) // only its owner changes npages
        return mspan_start(s) == addr ? s->npages << PAGE_SHIFT : 0;
    if (UNLIKELY(state != MSPAN_SMALL))
        return 0;
    unsigned slot = mspan_slot_of(s, addr);
    if (UNLIKELY(slot == SLOT_NONE) || UNLIKELY(mspan_peek_free(s, slot)))
        return 0;
    return s->elemsize;
}

#endif // MOUND_USABLE_H
