// holes.h: releases system pages that are free inside spans in use. This is
// possible because free slots contain no data of the allocator.
//
// A walk visits all spans of small objects by ascending address, so that
// adjacent holes go in one call. It skips spans of which a slot was taken or
// returned since the last walk. Walks begin at least HOLES_WALK_NS apart, so
// what a walk releases was idle that long. Spans of sampled objects are
// skipped: they are few. There are no walks if functions of the program watch
// releases (they may be slow, and fork waits for a walk), nor with
// MOUND_HARDENED=2, whose marks in freed objects distinguish kinds of misuse.
//
// One thread walks at a time (scavenger_visit.c ensures it) and owns struct
// holes; in the child of a fork, holes_forked returns what a walk held.
#ifndef MOUND_HEAP_HOLES_H
#define MOUND_HEAP_HOLES_H

#include "heap/mcentral_hold.h"
#include "heap/mheap.h"

enum { HOLES_WALK_NS = 500 * 1000 * 1000 };

// struct holes_visit is the limits and the results of one visit.
struct holes_visit {
    enum mcentral_hold kind; // which spans are not skipped
    size_t most;             // bytes to release, approximately
    uint64_t budget_ticks;   // 0: no limit
    uint64_t begin_ticks;
    size_t nbytes;     // released
    unsigned nrefused; // ranges the system did not release
};

// holes_begin begins a walk if one is due at now_ns, and says whether one is in
// progress. holes_restart begins one regardless of time; it returns false if
// there can be none. Without locks.
bool holes_begin(struct mheap *h, uint64_t now_ns);
bool holes_restart(struct mheap *h);

// holes_batch continues the walk by one batch of spans. It returns false at the
// end of the walk.
bool holes_batch(struct mheap *h, struct holes_visit *v);

// holes_pay says whether releases pay off: they do not if more than 1/16 of the
// released bytes was soon used again, and so faulted in anew.
bool holes_pay(const struct mheap *h);

// holes_trade begins a trading walk unless one is in progress: it releases
// holes of classes that are not allocating, in exchange for fresh memory. It
// returns false if there can be none. holes_traded says whether to continue:
// not if a walk ended and released 1/64 of the heap or less.
bool holes_trade(struct mheap *h);
bool holes_traded(struct mheap *h);

// holes_left says whether there is something left: a walk in progress
// (HOLES_NOW), or spans that the last walk skipped (HOLES_LATER).
enum holes_left { HOLES_NONE, HOLES_LATER, HOLES_NOW };
enum holes_left holes_left(const struct mheap *h);

// holes_forked is for the child of a fork: it returns the spans that a thread
// of the parent held.
void holes_forked(struct mheap *h);

#endif // MOUND_HEAP_HOLES_H
