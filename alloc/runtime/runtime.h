// runtime.h: the one heap of the process, and whether it may be used as it is.
#ifndef MOUND_RUNTIME_H
#define MOUND_RUNTIME_H

#include "heap/mheap.h"

// mound_heap is the heap of the process. All zero until the start (life/start.c),
// which is enough for the fast paths: they find nothing and go the slow way.
extern struct mheap mound_heap HIDDEN;

// mound_stats is what gdb and other processes read: see heap/heapstats.h.
extern struct heapstats mound_stats;

// runtime_count raises a counter of mound_stats that any thread may write: those of
// the stores beside the heap, whose blocks belong to no class.
static inline void runtime_count(uint64_t *counter, uint64_t n) {
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

// enum runtime_state: the heap's, as the word that runtime_stamp leads to. The
// kernel sets that word to 0 in a child of any kind of fork (os/mem.h).
enum runtime_state {
    RUNTIME_FORKED = 0,  // by a fork that ran no handlers: to be repaired
    RUNTIME_GOOD = 1,    // to be used
    RUNTIME_ORPHANS = 2, // to be used; caches of threads that are gone are left
};
extern _Atomic uint32_t *_Atomic runtime_stamp HIDDEN; // NULL: not started

// runtime_page is where the page of this process is noted (watch/page.h): beside that
// word, so that in a child of any kind of fork it is NULL from its first instruction
// on, and nobody there takes the page of its parent for its own. NULL where the kernel
// wipes no pages.
struct mound_page;
struct mound_page *_Atomic *runtime_page(void);
struct mound_page *runtime_page_now(void);

// runtime_chores, of enum runtime_chore: what a slow path does when it ends. Read by
// each, and hardly ever written. runtime_set_chore: any thread.
enum runtime_chore {
    RUNTIME_CHORE_ORPHANS = 1, // there are some: see thread.h
    RUNTIME_CHORE_PAGE = 2,    // the page is due: see watch/page.h
    RUNTIME_CHORE_PROFILE = 4, // a profile was requested: see watch/control.h
};
extern _Atomic uint32_t runtime_chores HIDDEN;
ALWAYS_INLINE uint32_t runtime_chores_now(void) {
    return atomic_load_explicit(&runtime_chores, memory_order_relaxed);
}
// acq_rel: who takes a chore off the list sees what was to be done when it was put there,
// and what comes later puts it there again.
static inline void runtime_set_chore(enum runtime_chore chore, bool due) {
    if (due)
        atomic_fetch_or_explicit(&runtime_chores, (uint32_t)chore,
                                 memory_order_acq_rel);
    else
        atomic_fetch_and_explicit(&runtime_chores, ~(uint32_t)chore,
                                  memory_order_acq_rel);
}

// runtime_enter makes sure that the heap can be used by this process. Each slow
// path calls it. Cost: two loads. runtime_enter_slow starts or repairs the heap:
// life/start.c has it, since that takes what only the floor above all others knows,
// and it may come before any constructor could have handed down a pointer to it.
COLD void runtime_enter_slow(void);
ALWAYS_INLINE void runtime_enter(void) {
    // acquire: sees the heap that was started; partner: release in
    // runtime_set_started
    _Atomic uint32_t *stamp =
        atomic_load_explicit(&runtime_stamp, memory_order_acquire);
    if (UNLIKELY(stamp == NULL) ||
        UNLIKELY(atomic_load_explicit(stamp, memory_order_relaxed) !=
                 RUNTIME_GOOD))
        runtime_enter_slow();
}

// runtime_enter_late is for each slow path, before it is entered: the first one
// after the C library's constructor does what of the start had to wait for that
// (runtime_start_late, in life/start.c too).
extern bool runtime_late HIDDEN; // written while there is one thread
COLD void runtime_start_late(void);
ALWAYS_INLINE void runtime_enter_late(void) {
    if (UNLIKELY(runtime_late))
        runtime_start_late();
}

// runtime_set_started makes the heap usable, in this process number pid;
// runtime_started says whether that was done: one load.
void runtime_set_started(int pid);
bool runtime_started(void);

// After the start.
enum runtime_state runtime_state(void);
void runtime_set_state(enum runtime_state state);

// runtime_pid is the number of the process that this memory belongs to; 0: nobody
// will need it. runtime_is_borrowed says whether another one runs in it: a child of
// vfork, whose end is not that of its program.
int runtime_pid(void);
void runtime_set_pid(int pid);
bool runtime_is_borrowed(void);

// runtime_reclaim empties what can be emptied, for an allocation that found no
// memory: the stores of all classes.
void runtime_reclaim(void);

#endif // MOUND_RUNTIME_H
