// scavenger.h: idle pages back to the system. Slow paths do the work; in programs
// with threads a helper does it while all sleep. See scavenger.c for what is
// kept and for how long.
#ifndef MOUND_HEAP_SCAVENGER_H
#define MOUND_HEAP_SCAVENGER_H

#include "heap/holes.h"
#include "heap/mheap.h"

// scavenger_reuses_locked says whether free pages were seen to be used again in the last
// second.
bool scavenger_reuses_locked(const struct mheap *h);

// scavenger_excess_locked returns how many free backed pages are more than a
// heap may keep even for a moment. Caller holds mheap.lock.
size_t scavenger_excess_locked(struct mheap *h);

// scavenger_release gives up to npages free pages back, however long that takes,
// and returns how many it gave: 0 if another thread is at it. Without locks, as the
// next two.
size_t scavenger_release(struct mheap *h, size_t npages);

// scavenger_release_excess is for who freed so many pages: it gives the excess back,
// or what can be done of it in a few hundred microseconds if it is much more than
// that.
void scavenger_release_excess(struct mheap *h, size_t excess, size_t freed);

// scavenger_trade_locked returns how many free pages a large object that takes so
// many without memory should pay with: those that nobody took back lately. Caller
// holds mheap.lock and gives them to scavenger_release_excess later.
size_t scavenger_trade_locked(struct mheap *h, size_t nfresh);

// scavenger_release_holes gives back every page of the system that is free inside a
// span, and returns how many bytes that was.
size_t scavenger_release_holes(struct mheap *h);

// scavenger_holes_made is called when many slots of a class were freed since holes
// were last looked for: it sees to it that somebody does. Without locks; cheap.
void scavenger_holes_made(struct mheap *h);

// scavenger_trade_holes is for who got spans and touched nfresh bytes for the first time
// for it, or none: as much is given back of holes in classes from which nobody takes
// just now, if there is much; now or at one of the next calls, for as long as a visit
// may take. Without locks.
void scavenger_trade_holes(struct mheap *h, size_t nfresh);

// scavenger_walking says whether a walk over holes is not at its end.
static inline bool scavenger_walking(const struct mheap *h) {
    return atomic_load_explicit(&h->holes_left, memory_order_relaxed) ==
           HOLES_NOW;
}

// scavenger_forked is for the child: no other thread is at it any more.
void scavenger_forked(struct mheap *h);

// scavenger_help_locked says whether a helper thread should see to it that idle
// pages go back: the program has threads, which may all go to sleep now, and
// there is much to return. scavenger_help starts it, without locks.
bool scavenger_help_locked(struct mheap *h);
void scavenger_help(struct mheap *h);

// scavenger_resume starts it where it should see to that now. Without locks.
void scavenger_resume(struct mheap *h);

// scavenger_look_after_locked notes that there may be much to return later. If there
// is, threads whose caches serve every call take the slow path now and then, so that
// the scavenger runs: see duemalloc_arm.
void scavenger_look_after_locked(struct mheap *h);

// scavenger_tick lets a slow path do what is due, within a budget of time.
// Cheap when nothing is: one reading of a coarse clock. Without locks.
void scavenger_tick(struct mheap *h);

// scavenger_goal_locked tells the goal, in pages of free backed memory, for the time
// now_ns, and lets the peak decay. Caller holds mheap.lock.
uint64_t scavenger_goal_locked(struct mheap *h, uint64_t now_ns);

#endif // MOUND_HEAP_SCAVENGER_H
