// runtime.h: the one heap of the process, its start and its forks.
#ifndef MOUND_RUNTIME_H
#define MOUND_RUNTIME_H

#include "heap/mheap.h"
#include "options.h"

// mound_heap is the heap of the process. All zero until runtime_start, which is
// enough for the fast paths: they find nothing and go the slow way.
extern struct mheap mound_heap HIDDEN;

// mound_stats is what gdb and other processes read: see heap/heapstats.h.
extern struct heapstats mound_stats;

// runtime_enter makes sure that the heap is usable by this process: started,
// and mended if a fork without handlers (_Fork, clone) made this process. Each
// slow path calls it. Cost: two loads.
extern _Atomic uint32_t *_Atomic runtime_stamp HIDDEN; // see runtime.c
COLD void runtime_enter_slow(void);
ALWAYS_INLINE void runtime_enter(void) {
    // acquire: sees the heap that runtime_start made
    _Atomic uint32_t *stamp =
        atomic_load_explicit(&runtime_stamp, memory_order_acquire);
    if (UNLIKELY(stamp == NULL) ||
        UNLIKELY(atomic_load_explicit(stamp, memory_order_relaxed) != 1))
        runtime_enter_slow();
}

// runtime_start_from starts the heap with the environment at hand, for the
// constructor: libc has not set its own pointer to it yet.
void runtime_start_from(char **envp);

// runtime_started says whether the heap is usable; cheap.
bool runtime_started(void);

// runtime_passive says whether calls pass on to the C library's allocator: the
// user asked for it, or the program brings its own.
extern _Atomic bool runtime_is_passive HIDDEN;
ALWAYS_INLINE bool runtime_passive(void) {
    // acquire: who sees it sees where to pass on to; partner: release in
    // runtime_set_passive
    return atomic_load_explicit(&runtime_is_passive, memory_order_acquire);
}

// struct runtime_next is the C library's allocator, for passive mode. Filled by
// preload/startup.c before runtime_set_passive.
struct runtime_next {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*malloc_usable_size)(void *);
    int (*malloc_trim)(size_t);
};
extern struct runtime_next runtime_next;
void runtime_set_passive(const struct runtime_next *next);

// runtime_before_fork takes every lock, so that the child finds every shared
// record whole; the others undo it.
void runtime_before_fork(void);
void runtime_after_fork_parent(void);
void runtime_after_fork_child(void);

// runtime_forks counts the forks between the first process and this one.
unsigned runtime_forks(void);

// runtime_pid is the number of the process this memory belongs to. A child of
// vfork, which only borrows it, has another.
int runtime_pid(void);

// runtime_reclaim empties what can be emptied, for an allocation that found no
// memory: the stores of all classes.
void runtime_reclaim(void);

#endif // MOUND_RUNTIME_H
