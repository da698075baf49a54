// array.h: the blocks of bucket arrays and their overflow buckets. mound_map_hmap.h has
// the layout.
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

// Bytes before its base of a block of an array of 2^B buckets: the array's own, or one
// of further overflow buckets.
size_t array_front(const struct mound_map_type *t, unsigned B, bool own);

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

// What old.c frees bit by bit.

// A block as malloc gave it: from where, and how much. Blocks whose data is aligned
// beyond malloc keep the address they came from in the word before their front.
struct array_block {
    size_t front;
    size_t bytes;
    bool aligned;
};

// array_block_layout is how such a block lies; array_block_start returns what malloc gave
// for the one with this base.
struct array_block array_block_layout(const struct mound_map_type *t,
                                      unsigned B, bool own);
char *array_block_start(const struct array_block *b, char *base);

// array_block_mapped: whether free will give this block of malloc's back to the system,
// as it is a mapping of its own. By glibc's layout: such a block has its header in
// front and is all of the pages, others end in the next one's header. Of other mallocs it
// says no; a wrong answer costs time, no more.
bool array_block_mapped(char *start);

// overflow_table_free frees the table of more than one block, not the blocks. With a
// type's own memory nchunks is to be what it was when the last block was added.
void overflow_table_free(const struct mound_map_type *t,
                         struct mound_map_overflow *overflow);

// overflow_chunk returns the base of the i-th block of overflow buckets.
char *overflow_chunk(const struct mound_map_overflow *overflow, size_t i);

// array_pages_release gives whole pages between from and to back: of a block that is a
// mapping, whose contents are done with. Where that is refused (locked memory)
// the block is freed later all the same.
void array_pages_release(char *from, char *to);

// array_pages_populate makes pages ready that will be written to soon. Where that is
// refused (an older kernel) they fault in one by one.
void array_pages_populate(char *from, char *to);

#endif
