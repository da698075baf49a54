// scavenger_visit.h: returns idle pages to the system, one thread at a time.
//
// A visit goes downwards through all chunks and releases first runs of whole
// huge pages, then of 32 KiB or more, then any; the next visit continues where
// it ended. Under the lock it allocates a few ranges of a few chunks, so that
// no other thread gets them; it releases them without the lock.
//
// Visits to the holes in spans (holes.h) are a second kind. The two share the
// budget of a tick and take turns at beginning it.
//
// Memory that small objects touch for the first time is traded, 512 KiB at a
// time, for holes in spans of classes from which no slot was taken while the
// heap grew by a quarter (holes.h). Otherwise a program that frees most objects
// of one size and continues with another would keep the memory of both. Trading
// pauses when more than 1/16 of the released bytes is used again. 64-byte
// objects, 1 of 128 kept, then 300 MiB of 1 KiB: 544 MiB instead of 734 (glibc
// 523), in 0.13 s instead of 0.04 (glibc 0.10); bench-phases, which returns to
// earlier sizes, takes 12 % longer.
#ifndef MOUND_HEAP_SCAVENGER_VISIT_H
#define MOUND_HEAP_SCAVENGER_VISIT_H

#include "heap/holes.h"
#include "heap/mheap.h"
#include "os/sys.h"

enum {
    SCAVENGER_VISIT_TICKS = SYS_TICKS_STEP / 64
}; // while others wait for it

// struct scavenger_visit is the limits and the results of one visit.
struct scavenger_visit {
    size_t npages;         // to be given back
    size_t least;          // in runs of at least this many pages
    size_t nshort;         // and at most this many pages in short runs
    int32_t age;           // of chunks: see pagecursor_take
    uint64_t budget_ticks; // 0: no limit
    uint64_t begin_ticks;
    const char *who; // for traces
    size_t nranges;
    size_t released;
    unsigned nturns; // times that the cursor went back to the top
};

// scavenger_visit does what v says and returns how many pages it released: 0 if
// another thread is returning memory. scavenger_visit_holes continues the walk
// that is due at now_ns, or makes a whole walk of its own, and returns how many
// bytes it released. Both without locks, like the others.
size_t scavenger_visit(struct mheap *h, struct scavenger_visit v);
size_t scavenger_visit_holes(struct mheap *h, uint64_t now_ns,
                             struct holes_visit v);

// scavenger_release releases up to npages free pages, however long it takes,
// and returns how many: 0 if another thread is doing so now.
size_t scavenger_release(struct mheap *h, size_t npages);

// scavenger_release_excess is called after pages were freed: it releases the
// excess, or as much as a few hundred microseconds allow if the excess is much
// more than was freed.
void scavenger_release_excess(struct mheap *h, size_t excess, size_t freed);

// scavenger_release_holes gives back every page of the system that is free inside a
// span, and returns how many bytes that was.
size_t scavenger_release_holes(struct mheap *h);

// scavenger_trade_holes is called with new spans, for which nfresh bytes
// (possibly 0) were touched for the first time. It releases as many bytes of
// holes in unused classes, if there are many; now or in one of the next calls,
// for as long as a visit may take. Without locks.
void scavenger_trade_holes(struct mheap *h, size_t nfresh);

// scavenger_forked is for the child of a fork, in which no thread is returning
// memory.
void scavenger_forked(struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_VISIT_H
