// block.c: see block.h.
#include "block.h"

#include "runtime/emergency.h"
#include "runtime/options.h"
#include "runtime/zerosize.h"
#include "watch/guards.h"

// base_of returns the address of the slot or large object that contains addr.
static uintptr_t base_of(const struct mspan *s, uintptr_t addr) {
    uintptr_t start = mspan_start(s);
    if (mspan_state(s) == MSPAN_LARGE)
        return start;
    uint64_t slot = (uint64_t)(addr - start) * s->magic >> 32;
    return start + slot * s->elemsize;
}

struct block block_find(const void *p) {
    uintptr_t addr = (uintptr_t)p;
    if (emergency_owns(p))
        return (struct block){.usable = emergency_usable_size(p)};
    if (UNLIKELY(zerosize_owns(p)))
        return (struct block){
            .misuse = zerosize_is_live(p) ? MISUSE_NONE : MISUSE_DOUBLE_FREE};
    if (UNLIKELY(guards_own(p))) {
        size_t usable = guard_usable_size(&guards_pool, p);
        return (struct block){.misuse =
                                  usable > 0 ? MISUSE_NONE : MISUSE_FREED_SPAN,
                              .usable = usable};
    }
    struct mspan *s = pagemap_span(&mound_heap.pagemap, addr);
    if (s == NULL)
        return (struct block){.misuse = MISUSE_FOREIGN};
    enum mspan_state state = mspan_state(s);
    size_t offset = addr - mspan_start(s);
    size_t npages = s->npages;
    if (state == MSPAN_DEAD || state == MSPAN_KEPT ||
        offset >= npages << PAGE_SHIFT)
        return (struct block){.misuse = MISUSE_FREED_SPAN};
    // An object with marks does not begin at the start of its slot.
    uintptr_t base = options->hardened > 1 ? base_of(s, addr) : addr;
    struct block b = {MISUSE_NONE, s, .base = (void *)base};
    if (state == MSPAN_LARGE) {
        if (base != mspan_start(s))
            b.misuse = MISUSE_INTERIOR;
        b.usable = npages << PAGE_SHIFT;
        return b;
    }
    unsigned slot = mspan_slot_of(s, base);
    if (slot == SLOT_NONE)
        b.misuse = MISUSE_INTERIOR;
    else if (mspan_peek_free(s, slot))
        b.misuse = MISUSE_DOUBLE_FREE;
    b.usable = s->elemsize;
    return b;
}

struct block block_find_locked(const void *p) {
    struct mspan *s = pagemap_span(&mound_heap.pagemap, (uintptr_t)p);
    struct mcentral *home = s != NULL ? mspan_home(s) : NULL;
    if (home == NULL)
        return block_find(p);
    mutex_lock(&home->lock);
    struct block b = block_find(p);
    mutex_unlock(&home->lock);
    return b;
}

static COLD struct block with_marks(const void *p, struct block b) {
    struct canary_object o = {.size = 0};
    size_t room = b.usable;
    switch (canary_look(b.base, room, p, &o)) {
    case CANARY_LIVE:
        break;
    case CANARY_FREED:
        b.misuse = MISUSE_DOUBLE_FREE;
        break;
    case CANARY_OVER:
        b.misuse = MISUSE_OVERFLOW;
        break;
    case CANARY_UNDER:
        b.misuse = MISUSE_UNDERFLOW;
        break;
    case CANARY_BROKEN:
        b.misuse = MISUSE_BROKEN;
        break;
    case CANARY_NONE:
        b.misuse = canary_find(b.base, room, &o) == CANARY_NONE
                       ? MISUSE_DOUBLE_FREE // or the slot was never used
                       : MISUSE_INTERIOR;
        break;
    }
    b.usable = o.size;
    b.nwritten = o.nbytes;
    return b;
}

struct block block_with_size(const void *p, struct block b) {
    if (LIKELY(options->hardened < 2) || b.misuse != MISUSE_NONE ||
        b.span == NULL) // in the emergency store, or guarded
        return b;
    return with_marks(p, b);
}

struct block block_find_size(const void *p) {
    return block_with_size(p, block_find_locked(p));
}

bool block_owns(const void *p) {
    return emergency_owns(p) || guards_own(p) || zerosize_owns(p) ||
           pagemap_span(&mound_heap.pagemap, (uintptr_t)p) != NULL;
}

void block_report(const char *call, const struct block *b, const void *p,
                  size_t given) {
    report_block(&mound_heap, &(struct report){.call = call,
                                               .misuse = b->misuse,
                                               .p = p,
                                               .block = b->base,
                                               .given = given,
                                               .size = b->usable,
                                               .nbytes = b->nwritten});
    if (block_is_overwritten(b))
        canary_set(b->base, block_find(p).usable, block_front(b, p), b->usable);
}

void block_forget(const struct block *b, const void *p) {
    if (block_is_overwritten(b))
        canary_free(b->base, block_find(p).usable, block_front(b, p),
                    b->usable);
}
