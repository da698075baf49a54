// fixalloc.h: records of one size, type-stable: a freed record is reused for
// the same type and never unmapped, so a stale pointer to one may be read.
// After Go 1.19 runtime/mfixalloc.go. Unlike there, freed records keep their
// contents except the first word, which must be a pointer-sized field without
// meaning in a free record.
#ifndef MOUND_BASE_FIXALLOC_H
#define MOUND_BASE_FIXALLOC_H

#include "base/persistentalloc.h"

// struct fixalloc has no lock: its owner's lock guards it.
struct fixalloc {
    struct persistent *source;
    size_t elemsize;         // bytes of a record
    void *free;              // free records, linked by their first word
    struct fixchunk *chunks; // all chunks, for walks
    size_t nfresh;           // records never used, at the end of the chunk
    size_t ninuse;           // records
    _Atomic uint64_t sys_bytes;
};

// struct fixchunk is the header of a chunk. Its size keeps records whose size
// is a multiple of a cache line aligned to one.
struct fixchunk {
    struct fixchunk *next;
    size_t nrecords;
} CACHELINE_ALIGNED;

void fixalloc_init(struct fixalloc *f, struct persistent *source,
                   size_t elemsize);

// fixalloc_alloc returns a record, zeroed if it was never used, or NULL.
void *fixalloc_alloc(struct fixalloc *f);
void fixalloc_free(struct fixalloc *f, void *record);

// fixalloc_record returns record i of a chunk, for walks over all of them,
// live, free and never used (all zero).
static inline void *fixalloc_record(const struct fixalloc *f,
                                    struct fixchunk *chunk, size_t i) {
    return (char *)(chunk + 1) + i * f->elemsize;
}

#endif // MOUND_BASE_FIXALLOC_H
