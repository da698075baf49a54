// old.h: what becomes of an array that was outgrown: it waits for its iterators, and
// goes bit by bit.
#ifndef MAP_OLD_H
#define MAP_OLD_H

#include "mound_map.h"

// Old arrays of 2^MAP_IN_ORDER_B buckets and more are evacuated in order, where Go moves
// the bucket that is written to, and one more. So of the new array only what has been
// filled takes memory, and of the old one what has not been moved, pages are touched one
// after the other, and a write to a bucket that has not been moved is one to the old array.
// In Go's order a growth takes three old arrays' memory soon after its beginning, and most
// pages of the new one fault in by themselves. Smaller arrays keep Go's order, and with it
// the state that Go's map has after the same operations.
#ifndef MAP_IN_ORDER_B // tests have it smaller
#define MAP_IN_ORDER_B 16
#endif

// map_extra returns the map's extra, made if need be; NULL: out of memory.
struct mound_map_extra *map_extra(const struct mound_map_type *t,
                                  struct mound_map *m);

// old_release returns pages below nevacuate to the system, once there are enough of
// them, if free would return them at the end. Old arrays of large maps so go in parts, and
// no write unmaps one whole: each part is a system call of microseconds. Memory that malloc
// would reuse is left alone.
void old_release(const struct mound_map_type *t, struct mound_map *m);

// old_populate populates the next part of a growing map's new array: each of its pages
// is about to be written, in random order, and single page faults cost several times what
// they cost together.
void old_populate(const struct mound_map_type *t, struct mound_map *m);

// old_retire ends the growth: the old array is freed, or waits for its iterators, or
// for later writes to free it bit by bit.
void old_retire(const struct mound_map_type *t, struct mound_map *m);

// old_bound ends iterators over the oldest arrays that wait, where a deleted key would
// have to be looked for in too many.
void old_bound(const struct mound_map_type *t, struct mound_map *m);

// old_ended: whether iterators over the array of this serial have ended so.
static inline bool old_ended(const struct mound_map *m, uint32_t serial) {
    return m->extra_ != NULL && (int32_t)(serial - m->extra_->nended_) < 0;
}

// old_count is the sum of the counts of iterators that have not ended.
uint32_t old_count(const struct mound_map *m);

// old_step does a bit of the freeing that waits, all of it if whole, and forgets
// what is empty. For writers.
void old_step(const struct mound_map_type *t, struct mound_map *m, bool whole);

// old_free_all frees all outgrown arrays, waited for or not, the growing map's too.
void old_free_all(const struct mound_map_type *t, struct mound_map *m);

// old_forget marks the stale copies of a key in arrays that iterators may look at;
// with replacement not NULL the copies are set to it instead.
void old_forget(const struct mound_map_type *t, struct mound_map *m,
                uint64_t hash, const void *key, const void *replacement);

// old_find returns the outgrown array, or NULL. For readers.
struct mound_map_old *old_find(const struct mound_map *m, const char *array);

// old_leave takes an iterator off the counts of its arrays and frees what nobody
// looks at any more. weight is what the counts have for it. For readers: several may
// be in it.
void old_leave(const struct mound_map_type *t, struct mound_map *m, char *array,
               char *oldarray, uint32_t weight);

// old_waiting: whether iterators look at it.
static inline bool old_waiting(const struct mound_map_old *old) {
    return __atomic_load_n(&old->niterators_, __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&old->nsuccessor_, __ATOMIC_ACQUIRE) != 0;
}

#endif
