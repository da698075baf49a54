// map_type.h: what depends on a type alone: whether it is valid, reports of misuse, and
// the entries of a clone.
#ifndef MAP_TYPE_H
#define MAP_TYPE_H

#include "mound_map_type.h"

// map_type_valid: whether sizes, alignments and functions are as mound_map_make says.
bool map_type_valid(const struct mound_map_type *t);

// map_type_misuse says that a map is misused, and ends the program, unless the type has
// a function for that, which may return.
void map_type_misuse(const struct mound_map_type *t, const char *message);

// map_type_copy_elem copies an element to a slot of a clone; false: the copy function of
// the type could not. map_type_drop drops the key of an entry, and its element unless
// that is half, the one that could not be copied.
bool map_type_copy_elem(const struct mound_map_type *t, void *slot,
                        const void *elem);
void map_type_drop(const struct mound_map_type *t, void *key, void *elem,
                   const void *half);

#endif
