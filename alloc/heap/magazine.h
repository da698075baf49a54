// magazine.h: an array of free slots of one class and one thread, the count of
// its mallocs, and its state for slow paths. Hits are in heap/mcache.h.
//
// Only the owner moves `top`; slow paths do so under the lock of the class, so
// that its holder may read every magazine of the class (memstats, fork). Hits
// change `top` and `count` without the lock: a reader may miss hits in
// progress.
#ifndef MOUND_HEAP_MAGAZINE_H
#define MOUND_HEAP_MAGAZINE_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/compiler.h"

struct mcentral;
struct mheap;

// struct magazine: slots are in [bottom, top), the newest at top - 1;
// bottom[-1] is NULL, so that an empty magazine yields NULL. Two magazines fill
// a cache line.
//
//   bottom <= top <= bottom + cap
//   limit is bottom + cap; or bottom, when the next free is to be checked
//
// A free with top at or above limit takes the slow path. bottom == top ==
// limit: the class has no capacity (yet) and is both empty and full; without an
// array it uses a NULL that all share. All fields but count are atomic for
// readers in other threads; every access is relaxed.
struct magazine {
    void **_Atomic top;
    void **_Atomic limit;
    _Atomic uint64_t count; // mallocs served
    void **_Atomic bottom;
};

// struct magazine_shape is the state of a magazine that only slow paths need.
struct magazine_shape {
    uint16_t cap;           // slots it may hold now
    uint8_t array_log2 : 4; // pointers in its array; 0: it has none
    bool no_room : 1;       // the transfer store was full last time
    uint8_t last : 2;       // what its last slow path was: MAGAZINE_WAS_...
    uint8_t pressure : 4;   // to grow: see cachepolicy.h
    bool had_lines : 1;     // got slots on cache lines of their own
    bool check : 1;         // the next free is to be checked
    uint32_t count_seen;    // low half of count at the last magazine_asked
};

// MAGAZINE_SLOTS is the largest capacity. The array has one more pointer, the
// NULL.
enum { MAGAZINE_SLOTS = (1 << 13) - 1 };

enum { MAGAZINE_WAS_NOTHING, MAGAZINE_WAS_DRY, MAGAZINE_WAS_FULL };

// MAGAZINE_NONE is the place after the NULL that magazines without an array
// share. Read-only: a write would affect every thread.
extern void *const magazine_none[1] HIDDEN;
#define MAGAZINE_NONE ((void **)magazine_none + 1)

static inline void **magazine_load(void **_Atomic *field) {
    return atomic_load_explicit(field, memory_order_relaxed);
}

static inline void magazine_store(void **_Atomic *field, void **value) {
    atomic_store_explicit(field, value, memory_order_relaxed);
}

// magazine_depth returns how many slots it holds.
static inline size_t magazine_depth(struct magazine *m) {
    return (size_t)(magazine_load(&m->top) - magazine_load(&m->bottom));
}

// magazine_set_limit sets the limit from which frees take the slow path.
static inline void magazine_set_limit(struct magazine *m,
                                      const struct magazine_shape *shape) {
    magazine_store(&m->limit,
                   magazine_load(&m->bottom) + (shape->check ? 0 : shape->cap));
}

// magazine_push adds a slot to a magazine that has room.
static inline void magazine_push(struct magazine *m, void *p) {
    void **top = magazine_load(&m->top);
    *top = p;
    magazine_store(&m->top, top + 1);
}

// magazine_check_next makes the next free one that is checked.
static inline void magazine_check_next(struct magazine *m,
                                       struct magazine_shape *shape) {
    shape->check = true;
    if (shape->cap > 0)
        magazine_set_limit(m, shape);
}

// magazine_asked returns the number of mallocs since its last call, modulo
// 2^32.
static inline uint32_t magazine_asked(struct magazine *m,
                                      struct magazine_shape *shape) {
    uint32_t count =
        (uint32_t)atomic_load_explicit(&m->count, memory_order_relaxed);
    uint32_t n = count - shape->count_seen;
    shape->count_seen = count;
    return n;
}

// magazine_holds says whether p is one of the newest few slots.
bool magazine_holds(struct magazine *m, const void *p, size_t few);

// magazine_set_count_locked sets the count, without changing the mallocs of the
// class or the next result of magazine_asked:
//
//   nretired += count - count',  count_seen -= count - count'
//
// modulo 2^64 and 2^32, where mallocs = nretired + sum of all counts (heapstats.h).
void magazine_set_count_locked(struct magazine *m, struct magazine_shape *shape,
                               struct mcentral *mc, uint64_t count);

// magazine_detach leaves a magazine without room and array.
void magazine_detach(struct magazine *m);

// magazine_set_array replaces the array by one of 1 << log2 pointers and moves
// the slots; it returns false when there is no memory. magazine_drop_array
// returns the array of an empty magazine and sets its capacity to 0. Both take
// the lock of the class, then that of the heap.
bool magazine_set_array(struct magazine *m, struct magazine_shape *shape,
                        struct mcentral *mc, unsigned log2);
void magazine_drop_array(struct magazine *m, struct magazine_shape *shape,
                         struct mcentral *mc);

#endif // MOUND_HEAP_MAGAZINE_H
