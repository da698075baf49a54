// persistentalloc.h: memory for records that live as long as the process. After
// Go 1.19 runtime/malloc.go, persistentalloc.
#ifndef MOUND_BASE_PERSISTENTALLOC_H
#define MOUND_BASE_PERSISTENTALLOC_H

#include "base/mutex.h"

enum { PERSISTENT_PIECES = 24 };

// struct persistent is a source of such memory. All zero is a valid one.
//   (l) lock
struct persistent {
    struct mutex lock;  // rank LOCKRANK_PERSISTENT
    uintptr_t next;     // (l) free bytes of the current chunk: [next, end)
    uintptr_t end;      // (l)
    uint64_t sys_bytes; // (l) all bytes mapped
    // (l) The first ranges that were mapped: who looks which of it has memory takes the
    // rest for touched.
    unsigned npieces;
    struct persistent_piece {
        uintptr_t begin;
        size_t nbytes;
    } pieces[PERSISTENT_PIECES];
};

void persistent_init(struct persistent *pa);

// persistentalloc returns nbytes of zeroed memory aligned to align (a power of
// two up to a page), never given back, or NULL. *sys_bytes, unless NULL, rises
// by what was taken: it belongs to the caller.
void *persistentalloc(struct persistent *pa, size_t nbytes, size_t align,
                      _Atomic uint64_t *sys_bytes);

// persistent_feed gives pa memory to hand out that the system would not give:
// zeroed, and never to be used otherwise. What was left of the last chunk is
// lost.
void persistent_feed(struct persistent *pa, void *memory, size_t nbytes);

#endif // MOUND_BASE_PERSISTENTALLOC_H
