// runtime.h: the one heap of the process, its start and its forks.
#ifndef MOUND_RUNTIME_H
#define MOUND_RUNTIME_H

#include "heap/mheap.h"
#include "runtime/options.h"

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

// enum runtime_mode: whose blocks this process has. Set once by the constructor
// of preload/; from UNCALLED it goes on to BEHIND, never elsewhere.
enum runtime_mode {
    RUNTIME_ALONE = 0, // ours
    RUNTIME_BEHIND,    // another malloc stands in front and passes on to us: we
                       // serve, and a block that is not ours is the next one's
    RUNTIME_UNCALLED,  // another malloc stands in front and has not passed on
    // yet: passive, until one of its names is called here
    RUNTIME_PASSIVE, // MOUND_OFF, a sanitizer, valgrind: every call passes on
};
extern _Atomic uint8_t runtime_mode HIDDEN;
ALWAYS_INLINE enum runtime_mode runtime_mode_now(void) {
    // acquire: who sees it sees where to pass on to; partner: release in
    // runtime_set_mode
    return atomic_load_explicit(&runtime_mode, memory_order_acquire);
}

// runtime_mixed says whether a block may be another allocator's.
ALWAYS_INLINE bool runtime_mixed(void) {
    return runtime_mode_now() != RUNTIME_ALONE;
}

// runtime_passive says whether another allocator serves the program.
ALWAYS_INLINE bool runtime_passive(void) {
    return runtime_mode_now() >= RUNTIME_UNCALLED;
}

// enum runtime_name: names that a malloc in front of us has or lacks.
enum runtime_name { NAME_MALLOC = 1, NAME_CALLOC = 2, NAME_REALLOC = 4 };

// runtime_passes_on is runtime_passive for the three. That one was called which the
// malloc in front has, too, tells that it passes on to us. It is not called to find
// that out, for it may not be ready.
COLD bool runtime_passes_on_slow(enum runtime_name name);
ALWAYS_INLINE bool runtime_passes_on(enum runtime_name name) {
    return UNLIKELY(runtime_passive()) && runtime_passes_on_slow(name);
}

// struct runtime_next is the next allocator, mostly the C library's. Filled by
// preload/startup.c before runtime_set_mode.
struct runtime_next {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*malloc_usable_size)(void *);
    int (*malloc_trim)(size_t);
    unsigned front; // of enum runtime_name: what a malloc in front of us has
};
extern struct runtime_next runtime_next;
void runtime_set_mode(enum runtime_mode mode, const struct runtime_next *next);

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
