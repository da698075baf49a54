// array.h: the blocks of bucket arrays, their overflow buckets, and what becomes of
// an array that was outgrown. mound_map_hmap.h has the layout.
#ifndef MAP_ARRAY_H
#define MAP_ARRAY_H

#include "mound_map.h"

// array_new returns the base of a new array of 2^B buckets, or NULL. cleared: all
// slots are empty; else the tophash words and links are garbage.
char *array_new(const struct mound_map_type *t, unsigned B, bool cleared);

// array_clear empties all base buckets of an array.
void array_clear(char *array, unsigned B);

// array_bytes returns what array and overflow take of malloc.
size_t array_bytes(const struct mound_map_type *t, char *array, unsigned B,
                   bool lent, const struct mound_map_overflow *overflow);

// array_lend returns the base of a bucket of B = 0 in memory of the caller.
char *array_lend(const struct mound_map_type *t, void *memory);

// Bytes of a block of n buckets before its base, and in all, without what aligning
// it adds.
size_t array_front(const struct mound_map_type *t, size_t n, bool links);

// overflow_reserve makes room for n more overflow buckets in an array of 2^B; false:
// out of memory, and nothing changed but that there may be some room.
bool overflow_reserve(const struct mound_map_type *t,
                      struct mound_map_overflow *overflow, unsigned B,
                      size_t n);

// overflow_take appends an empty overflow bucket to the chain that ends in *base,
// *index and sets these to it. The room was reserved.
void overflow_take(struct mound_map_overflow *overflow, char *array, unsigned B,
                   char **base, size_t *index);

// array_free frees an array and its overflow blocks. array may be NULL.
void array_free(const struct mound_map_type *t, char *array, unsigned B,
                bool lent, struct mound_map_overflow *overflow);

// map_extra returns the map's extra, made if need be; NULL: out of memory.
struct mound_map_extra *map_extra(struct mound_map *m);

// old_release gives pages below nevacuate back to the system, when there is enough
// of them. Old arrays of large maps go bit by bit, so that no write has to free one
// whole: a system call of microseconds now and then.
void old_release(const struct mound_map_type *t, struct mound_map *m);

// old_populate makes the next bit of a growing map's new array ready to be written to:
// each page of it is about to be, at random, and faults that come one by one cost many
// times what they cost together.
void old_populate(const struct mound_map_type *t, struct mound_map *m);

// old_retire ends the growth: the old array is freed, or waits for its iterators, or
// for later writes to free it bit by bit.
void old_retire(const struct mound_map_type *t, struct mound_map *m);

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
// looks at any more. For readers: several may be in it.
void old_leave(const struct mound_map_type *t, struct mound_map *m, char *array,
               char *oldarray);

// old_waiting: whether iterators look at it.
static inline bool old_waiting(const struct mound_map_old *old) {
    return __atomic_load_n(&old->niterators_, __ATOMIC_ACQUIRE) != 0 ||
           __atomic_load_n(&old->nsuccessor_, __ATOMIC_ACQUIRE) != 0;
}

#endif
