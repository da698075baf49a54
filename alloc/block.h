// block.h: what is known of a pointer that should be one of ours, found out without
// trusting it.
#ifndef MOUND_BLOCK_H
#define MOUND_BLOCK_H

#include "prof/canary.h"
#include "prof/report.h"
#include "runtime/runtime.h"

struct block {
    enum misuse misuse; // MISUSE_NONE: it is a live object's
    struct mspan
        *span;     // or NULL: of the emergency store, of no bytes, or guarded
    size_t usable; // bytes
    // With MOUND_HARDENED=2:
    void *base;      // the slot, or the first page, that it is in
    size_t nwritten; // see struct canary_object
};

// block_find looks p up. That a small slot is in a magazine, and so free, is not seen
// here. block_find_locked reads the bit of a small slot under its lock.
struct block block_find(const void *p);
struct block block_find_locked(const void *p);

// block_with_size adds to it, with MOUND_HARDENED=2, what the marks say: usable is then
// the size that was requested. block_find_size is both.
struct block block_with_size(const void *p, struct block b);
struct block block_find_size(const void *p);

// block_owns says whether p is an object of this heap. In passive mode there may be
// some, handed out before it was known.
bool block_owns(const void *p);

// block_class is the class byte for any pointer; 0 also where no slot can be.
static inline unsigned block_class(const void *p) {
    size_t arena = pagemap_slot_arena((uintptr_t)p);
    return arena < PAGEMAP_ENTRIES
               ? pagemap_class_in(&mound_heap.pagemap, arena, (uintptr_t)p)
               : 0;
}

// block_is_overwritten says whether the object is live and its marks are not whole.
static inline bool block_is_overwritten(const struct block *b) {
    return b->misuse == MISUSE_OVERFLOW || b->misuse == MISUSE_UNDERFLOW;
}

// block_report reports what was found, in the name of call; given is the size that it
// was called with, or 0. What was overwritten is made whole, to be said once.
COLD void block_report(const char *call, const struct block *b, const void *p,
                       size_t given);

// block_forget keeps the memory of an object that was overwritten from being used
// again.
COLD void block_forget(const struct block *b, const void *p);

// The bytes in front of an object with marks, and those that marks add to it.
static inline size_t block_front(const struct block *b, const void *p) {
    return (size_t)((const char *)p - (const char *)b->base);
}

static inline size_t block_marks(size_t align) {
    return canary_front(align) + CANARY_END_BYTES;
}

#endif // MOUND_BLOCK_H
