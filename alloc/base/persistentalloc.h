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
    // (l) The first ranges that were mapped. Readers that count resident memory
    // take any further ranges for resident.
    unsigned npieces;
    struct persistent_piece {
        uintptr_t begin;
        size_t nbytes;
    } pieces[PERSISTENT_PIECES];
};

void persistent_init(struct persistent *pa);

// persistentalloc returns nbytes of zeroed memory aligned to align (a power of
// two, at most a page), which is never given back, or NULL. It adds the bytes
// to *sys_bytes, the caller's counter, unless that is NULL.
void *persistentalloc(struct persistent *pa, size_t nbytes, size_t align,
                      _Atomic uint64_t *sys_bytes);

// persistent_feed gives pa zeroed memory to hand out, for when the system gives
// none. The memory must have no other user. What was left of the current chunk
// is lost.
void persistent_feed(struct persistent *pa, void *memory, size_t nbytes);

#endif // MOUND_BASE_PERSISTENTALLOC_H
