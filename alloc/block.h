// block.h: looks up any pointer as a block of ours, without trusting it.
#ifndef MOUND_BLOCK_H
#define MOUND_BLOCK_H

#include "prof/canary.h"
#include "prof/report.h"
#include "runtime/runtime.h"

struct block {
    enum misuse misuse; // MISUSE_NONE: a live object
    struct mspan *span; // NULL: in the emergency store, of no bytes, or guarded
    size_t usable;      // bytes
    // With MOUND_HARDENED=2:
    void *base;      // the slot, or the large object's first page
    size_t nwritten; // see struct canary_object
};

// block_find looks p up. It does not see that a slot is free in a magazine.
// block_find_locked reads the free bit of a small slot under its class's lock.
struct block block_find(const void *p);
struct block block_find_locked(const void *p);

// block_with_size adds what the marks say with MOUND_HARDENED=2: usable is then the
// size that was requested. block_find_size does both.
struct block block_with_size(const void *p, struct block b);
struct block block_find_size(const void *p);

// block_owns says whether p is an object of this heap. In passive mode some objects may
// be: those that were allocated before the mode was known.
bool block_owns(const void *p);

// block_class is the class byte for any pointer; 0 also where the page map has no entry.
static inline unsigned block_class(const void *p) {
    size_t arena = pagemap_slot_arena((uintptr_t)p);
    return arena < PAGEMAP_ENTRIES
               ? pagemap_class_in(&mound_heap.pagemap, arena, (uintptr_t)p)
               : 0;
}

// block_is_overwritten says whether the object is live and its marks were overwritten.
static inline bool block_is_overwritten(const struct block *b) {
    return b->misuse == MISUSE_OVERFLOW || b->misuse == MISUSE_UNDERFLOW;
}

// block_report reports b->misuse in the name of call; given is the size that call got,
// or 0. It restores overwritten marks, so that they are reported once.
COLD void block_report(const char *call, const struct block *b, const void *p,
                       size_t given);

// block_forget keeps the memory of an object whose marks were overwritten from being
// used again.
COLD void block_forget(const struct block *b, const void *p);

// The bytes from the start of the slot to the object, and the bytes that marks add.
static inline size_t block_front(const struct block *b, const void *p) {
    return (size_t)((const char *)p - (const char *)b->base);
}

static inline size_t block_marks(size_t align) {
    return canary_front(align) + CANARY_END_BYTES;
}

#endif // MOUND_BLOCK_H
