// runtime.h: the one heap of the process, and whether it can be used.
#ifndef MOUND_RUNTIME_H
#define MOUND_RUNTIME_H

#include "heap/mheap.h"

// mound_heap is the heap of the process. It is all zero until the start (life/start.c);
// then the fast paths find no slot and take the slow path.
extern struct mheap mound_heap HIDDEN;

// mound_stats is read by gdb and other processes: see heap/heapstats.h.
extern struct heapstats mound_stats;

// runtime_count adds n to a counter of mound_stats that any thread may write: those of
// the stores outside the heap, whose blocks belong to no class.
static inline void runtime_count(uint64_t *counter, uint64_t n) {
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

// enum runtime_state: the state of the heap, in the word that runtime_stamp points to.
// The kernel sets that word to 0 in a child of any kind of fork (os/mem.h).
enum runtime_state {
    RUNTIME_FORKED = 0,  // a fork that ran no handlers made this: repair it
    RUNTIME_GOOD = 1,    // usable
    RUNTIME_ORPHANS = 2, // usable, after caches were made orphans (thread.h)
};
extern _Atomic uint32_t *_Atomic runtime_stamp HIDDEN; // NULL: not started

// runtime_page is where the address of this process's page is kept (watch/page.h): next
// to that word, so that it is NULL in a child of any kind of fork from the child's first
// instruction on and the child never writes to its parent's page. NULL if the kernel
// cannot wipe pages.
struct mound_page;
struct mound_page *_Atomic *runtime_page(void);
struct mound_page *runtime_page_now(void);

// runtime_chores, of enum runtime_chore: what the next slow path does when it ends. All
// slow paths read it; it is rarely written. runtime_set_chore: any thread.
enum runtime_chore {
    RUNTIME_CHORE_ORPHANS = 1, // there are orphans: see thread.h
    RUNTIME_CHORE_PAGE = 2,    // the page is due: see watch/page.h
    RUNTIME_CHORE_PROFILE = 4, // a profile was requested: see watch/control.h
};
extern _Atomic uint32_t runtime_chores HIDDEN;
ALWAYS_INLINE uint32_t runtime_chores_now(void) {
    return atomic_load_explicit(&runtime_chores, memory_order_relaxed);
}
// acq_rel: a thread that clears a chore sees what was written before it was set; work
// that becomes due later sets it again.
static inline void runtime_set_chore(enum runtime_chore chore, bool due) {
    if (due)
        atomic_fetch_or_explicit(&runtime_chores, (uint32_t)chore,
                                 memory_order_acq_rel);
    else
        atomic_fetch_and_explicit(&runtime_chores, ~(uint32_t)chore,
                                  memory_order_acq_rel);
}

// runtime_enter makes sure that this process can use the heap. Each slow path calls it.
// Cost: two loads. runtime_enter_slow starts or repairs the heap. It is defined in
// life/start.c, because that needs the layers above; a pointer handed down by a
// constructor would come too late for the first malloc.
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

// runtime_enter_late is called before each slow path is entered: the first one after
// the C library's constructor does the part of the start that needs that
// (runtime_start_late, also in life/start.c).
extern bool runtime_late HIDDEN; // written while there is one thread
COLD void runtime_start_late(void);
ALWAYS_INLINE void runtime_enter_late(void) {
    if (UNLIKELY(runtime_late))
        runtime_start_late();
}

// runtime_set_started makes the heap usable in process pid; runtime_started says
// whether it is: one load.
void runtime_set_started(int pid);
bool runtime_started(void);

// After the start.
enum runtime_state runtime_state(void);
void runtime_set_state(enum runtime_state state);

// runtime_pid is the ID of the process that this memory belongs to; 0: nothing will
// need it. runtime_is_borrowed says whether another process runs in it: a child of
// vfork, whose end is not the end of the program.
int runtime_pid(void);
void runtime_set_pid(int pid);
bool runtime_is_borrowed(void);

// runtime_reclaim empties the stores of all classes, for an allocation that found no
// memory.
void runtime_reclaim(void);

#endif // MOUND_RUNTIME_H
