// scavenger_visit.h: idle pages back to the system, one thread at a time.
//
// A visit gives back what it finds on its way down over all chunks, first in runs of
// whole huge pages, then of 32 KiB or more, then any; the next visit goes on where it
// ended. Under the lock it takes a few ranges, out of a few chunks; it returns them
// without it. They are allocated meanwhile: nobody else can have them.
//
// A visit to the holes in spans (holes.h) is another kind; they take turns in being
// the first at a tick, for both share its budget.
//
// What small objects touch for the first time is paid for, 512 KiB at a time, with holes
// in spans of classes from which nobody took while the heap grew by a quarter (holes.h):
// a program that drops all but a few objects of one size and goes on with another would
// keep the memory of both. That ends for a while when more than 1/16 of what was given
// back is used again. 64-byte objects, 1 of 128 kept, then 300 MiB of 1 KiB: 544 MiB
// instead of 734 (glibc 523), in 0.13 s instead of 0.04 (glibc 0.10); bench-phases, which
// comes back to the sizes that it left, takes 12 % longer for it.
#ifndef MOUND_HEAP_SCAVENGER_VISIT_H
#define MOUND_HEAP_SCAVENGER_VISIT_H

#include "heap/holes.h"
#include "heap/mheap.h"
#include "os/sys.h"

enum {
    SCAVENGER_VISIT_TICKS = SYS_TICKS_STEP / 64
}; // while others wait for it

// struct scavenger_visit is what one may do, and has done.
struct scavenger_visit {
    size_t npages;         // to be given back
    size_t least;          // in runs of so many pages or more
    size_t nshort;         // and of the short ones no more than so many
    int32_t age;           // of chunks: see pagecursor_take
    uint64_t budget_ticks; // 0: no limit
    uint64_t begin_ticks;
    const char *who; // for traces
    size_t nranges;
    size_t released;
    unsigned nturns; // times that the cursor went back to the top
};

// scavenger_visit does what v says and returns how many pages it gave back: 0 if another
// thread returns memory. scavenger_visit_holes goes on with the walk that is due at now_ns, or
// makes a whole one of its own, and returns how many bytes it gave back. Without locks,
// as the others.
size_t scavenger_visit(struct mheap *h, struct scavenger_visit v);
size_t scavenger_visit_holes(struct mheap *h, uint64_t now_ns,
                             struct holes_visit v);

// scavenger_release gives up to npages free pages back, however long that takes,
// and returns how many it gave: 0 if another thread does so now.
size_t scavenger_release(struct mheap *h, size_t npages);

// scavenger_release_excess is called after so many pages were freed: it gives the excess back,
// or what can be done of it in a few hundred microseconds if it is much more than
// that.
void scavenger_release_excess(struct mheap *h, size_t excess, size_t freed);

// scavenger_release_holes gives back every page of the system that is free inside a
// span, and returns how many bytes that was.
size_t scavenger_release_holes(struct mheap *h);

// scavenger_trade_holes is called with new spans, for which nfresh bytes were touched for
// the first time, or none: as much is given back of holes in classes from which nobody takes
// just now, if there is much; now or at one of the next calls, for as long as a visit
// may take. Without locks.
void scavenger_trade_holes(struct mheap *h, size_t nfresh);

// scavenger_forked is for the child: no other thread returns memory any more.
void scavenger_forked(struct mheap *h);

#endif // MOUND_HEAP_SCAVENGER_VISIT_H
