// holes.h: pages of the system that are free inside spans in use go back. Nothing
// is written into free slots, so that nothing is in the way.
//
// A walk goes over all spans of small objects, upwards by address so that holes
// side by side go in one call. It leaves out those of which a slot came or went
// since the last walk; walks begin at least HOLES_WALK_NS apart, so that what it
// gives back was idle for so long. Spans for sampled objects are left out: they are
// few. So is everything where functions of the program are told of a release (they
// may be slow, and fork waits for a walk), and in MOUND_HARDENED=2, whose marks in
// freed objects tell one misuse from another.
//
// Only one thread walks at a time (scavenger_visit.c ensures it) and owns struct holes, but
// for the child of a fork, which takes back what was in its hands.
#ifndef MOUND_HEAP_HOLES_H
#define MOUND_HEAP_HOLES_H

#include "heap/mcentral_hold.h"
#include "heap/mheap.h"

enum { HOLES_WALK_NS = 500 * 1000 * 1000 };

// struct holes_visit is what one visit may do, and has done.
struct holes_visit {
    enum mcentral_hold kind; // of spans that are not left out
    size_t most;             // bytes to be given back, about
    uint64_t budget_ticks;   // 0: no limit
    uint64_t begin_ticks;
    size_t nbytes;     // given back
    unsigned nrefused; // ranges that could not be
};

// holes_begin begins a walk if one is due at now_ns, and says whether there is one.
// holes_restart begins one in any case, if there can be any. Without locks.
bool holes_begin(struct mheap *h, uint64_t now_ns);
bool holes_restart(struct mheap *h);

// holes_batch goes on with the walk: it looks at some spans, and gives back what it
// finds. It returns false when the walk has come to its end.
bool holes_batch(struct mheap *h, struct holes_visit *v);

// holes_pay says whether what was given back lately was of no use: of what is used
// again a moment later the memory has to be got anew.
bool holes_pay(const struct mheap *h);

// holes_trade says whether there is a walk that trades: holes of classes from which
// nobody takes just now, for memory that is touched for the first time.
// holes_traded says whether there will be another one: not if this one has come to its
// end and gave back 1/64 of the heap or less.
bool holes_trade(struct mheap *h);
bool holes_traded(struct mheap *h);

// holes_left says whether there is, or will be, something to do: spans that the last
// walk left out, or a walk that is not at its end.
enum holes_left { HOLES_NONE, HOLES_LATER, HOLES_NOW };
enum holes_left holes_left(const struct mheap *h);

// holes_forked is for the child of a fork: what was in the hands of a thread that
// is not there any more is put back.
void holes_forked(struct mheap *h);

#endif // MOUND_HEAP_HOLES_H
